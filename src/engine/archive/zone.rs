//! The time zone of times that are written without one.

use std::fmt;
use std::str::FromStr;

use chrono::offset::LocalResult;
use chrono::{DateTime, Duration, Local, NaiveDateTime, TimeZone as _, Utc};
use chrono_tz::Tz;

/// A time zone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TimeZone {
    /// That of this machine.
    #[default]
    Local,
    /// One of the IANA's, such as `Europe/Berlin`.
    Named(Tz),
}

/// No time zone has this name.
#[derive(Debug, thiserror::Error)]
#[error("no time zone is named {0:?}; name one like Europe/Berlin, UTC or local")]
pub struct UnknownTimeZone(String);

impl FromStr for TimeZone {
    type Err = UnknownTimeZone;

    fn from_str(text: &str) -> Result<Self, UnknownTimeZone> {
        if text.eq_ignore_ascii_case("local") {
            return Ok(Self::Local);
        }
        let zone = text.parse::<Tz>().map(Self::Named);
        zone.map_err(|_| UnknownTimeZone(text.chars().take(80).collect()))
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("the time zone of this machine"),
            Self::Named(zone) => write!(f, "the time zone {zone}"),
        }
    }
}

impl TimeZone {
    /// The instant that a clock of this zone shows so. When clocks are put back it shows a time twice: then
    /// the first of the two instants. When they are put forward it leaves times out: then that of an hour
    /// later.
    #[must_use]
    pub fn instant(self, shown: NaiveDateTime) -> DateTime<Utc> {
        let find = |shown: &NaiveDateTime| match self {
            Self::Local => earliest(Local.from_local_datetime(shown)),
            Self::Named(zone) => earliest(zone.from_local_datetime(shown)),
        };
        let later = || find(&(shown + Duration::hours(1)));
        find(&shown).or_else(later).unwrap_or_else(|| shown.and_utc())
    }
}

fn earliest<Z: chrono::TimeZone>(found: LocalResult<DateTime<Z>>) -> Option<DateTime<Utc>> {
    found.earliest().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_that_is_put_forward_or_back_still_shows_an_instant() {
        let berlin: TimeZone = "Europe/Berlin".parse().expect("a zone");
        let cases = [
            ("2024-06-11T08:15:00", "2024-06-11T06:15:00Z"),
            ("2024-12-11T08:15:00", "2024-12-11T07:15:00Z"),
            ("2024-10-27T02:30:00", "2024-10-27T00:30:00Z"),
            ("2024-03-31T02:30:00", "2024-03-31T01:30:00Z"),
        ];
        for (shown, instant) in cases {
            let expected: DateTime<Utc> = instant.parse().expect("a time");
            assert_eq!(berlin.instant(shown.parse().expect("a time")), expected, "{shown}");
        }
        assert!("Europe/Atlantis".parse::<TimeZone>().is_err());
    }
}
