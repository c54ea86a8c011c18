//! Medians and spreads.

/// The middle value, or the mean of the middle two.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[middle - 1], upper)
    } else {
        upper
    })
}

/// The least and the greatest value.
pub fn spread(values: &[f64]) -> Option<(f64, f64)> {
    let least = values.iter().copied().reduce(f64::min)?;
    let most = values.iter().copied().reduce(f64::max)?;
    Some((least, most))
}

/// Numbers of bytes or operations, for reckoning and for people.
#[expect(clippy::cast_precision_loss, reason = "none of them comes near what a double holds")]
pub fn floats(values: &[u64]) -> Vec<f64> {
    values.iter().map(|value| *value as f64).collect()
}

/// The quotient of two medians, if both are there.
pub fn ratio(of: &[f64], to: &[f64]) -> Option<f64> {
    Some(median(of)? / median(to)?)
}
