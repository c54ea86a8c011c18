//! A length of time as people write it: `36h`, `14d`, `8w`.

use std::fmt;
use std::str::FromStr;

use chrono::{Duration, TimeDelta};
use serde::{Deserialize, Serialize};

/// A whole number of hours, days or weeks; never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Age(Duration);

/// The text is not a number followed by `h`, `d` or `w`.
#[derive(Debug, thiserror::Error)]
#[error("invalid age {0:?}; an age looks like 36h, 14d or 8w")]
pub struct MalformedAge(String);

/// More than a hundred years help nobody, and keep what is computed with ages within bounds.
const LONGEST: Duration = TimeDelta::days(36_525);

impl Age {
    /// So many days; at most a hundred years.
    #[must_use]
    pub fn days(days: u16) -> Self {
        Self(Duration::days(days.into()).min(LONGEST))
    }

    /// So many hours; at most a hundred years.
    #[must_use]
    pub fn hours(hours: u16) -> Self {
        Self(Duration::hours(hours.into()).min(LONGEST))
    }

    /// The same as a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        self.0
    }
}

fn parse(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let number = &text[..text.len() - unit.len_utf8()];
    let digits = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    let number: i64 = number.parse().ok().filter(|_| digits)?;
    let age = match unit {
        'h' => Duration::try_hours(number),
        'd' => Duration::try_days(number),
        'w' => Duration::try_weeks(number),
        _ => None,
    };
    age.filter(|age| *age <= LONGEST)
}

impl FromStr for Age {
    type Err = MalformedAge;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map(Self).ok_or_else(|| MalformedAge(text.chars().take(80).collect()))
    }
}

impl TryFrom<String> for Age {
    type Error = MalformedAge;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Age> for String {
    fn from(age: Age) -> Self {
        age.to_string()
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.0.num_hours();
        if hours > 0 && hours % 24 == 0 {
            write!(f, "{}d", hours / 24)
        } else {
            write!(f, "{hours}h")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        let parsed = |text: &str| text.parse::<Age>().expect("an age").duration();
        assert_eq!(parsed("36h"), Duration::hours(36));
        assert_eq!(parsed("8w"), Duration::weeks(8));
        for wrong in ["", "d", "12", "-3d", "+3d", "3m", "3é", "99999999999999999w", "99999999d"] {
            assert!(wrong.parse::<Age>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_age_is_written_as_it_is_read() {
        for text in ["0h", "36h", "14d"] {
            assert_eq!(text.parse::<Age>().expect("an age").to_string(), text);
        }
        assert_eq!("8w".parse::<Age>().expect("an age").to_string(), "56d");
    }
}
