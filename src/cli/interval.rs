//! A short time as people write it: `30s`, `5m`, `1h`.

use std::time::Duration;

/// The longest time that makes sense between two looks.
const LONGEST: Duration = Duration::from_hours(24);

/// Reads an interval of at least a second and at most a day.
///
/// # Errors
/// Says what an interval looks like.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("{text:?} is no interval; it looks like 30s, 5m or 1h, and is 1 s to 24 h");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number = &text[..text.len() - unit.len_utf8()];
    let digits = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|_| digits).ok_or_else(wrong)?;
    let seconds = match unit {
        's' => Some(number),
        'm' => number.checked_mul(60),
        'h' => number.checked_mul(3_600),
        _ => None,
    };
    let interval = seconds.map(Duration::from_secs);
    interval.filter(|it| !it.is_zero() && *it <= LONGEST).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_is_a_number_and_a_unit() {
        assert_eq!(parse("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(parse("24h"), Ok(Duration::from_hours(24)));
        for wrong in ["", "s", "30", "0s", "-1s", "+1s", "1d", "25h", "99999999999999999999m", "3é"]
        {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
