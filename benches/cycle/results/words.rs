//! Figures as people read them.

use super::statistics::{floats, median, spread};

/// With a comma before each three digits.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Three digits that say something, or all that stand before the point.
pub fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        size if size < 1.0 => 3,
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// The median with a unit, or nothing.
pub fn medium(values: &[f64], unit: &str) -> String {
    median(values).map(|value| format!("{}{unit}", figure(value))).unwrap_or_default()
}

/// From the least to the greatest, or nothing where there is but one.
pub fn range(values: &[f64]) -> String {
    match spread(values) {
        Some((least, most)) if values.len() > 1 => format!("{} to {}", figure(least), figure(most)),
        _ => String::new(),
    }
}

/// The median in megabytes, or nothing.
pub fn megabytes(bytes: &[u64]) -> String {
    let megabytes: Vec<_> = floats(bytes).iter().map(|bytes| bytes / 1e6).collect();
    medium(&megabytes, " MB")
}

/// The greatest in MiB, or nothing.
pub fn mebibytes(bytes: &[u64]) -> String {
    let most = bytes.iter().max();
    most.map(|bytes| format!("{} MiB", bytes.div_ceil(1 << 20))).unwrap_or_default()
}
