//! The id of a backup: the second in which it was made.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

const FORMAT: &str = "%Y%m%d_%H%M%S";

/// `YYYYMMDD_HHMMSS` in UTC. Only a well-formed id can be held, so it may become part of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackupId(String);

/// The text is not a date and time of the form `YYYYMMDD_HHMMSS`.
#[derive(Debug, thiserror::Error)]
#[error("invalid backup id {0:?}; an id looks like 20250920_143022")]
pub struct MalformedId(String);

impl BackupId {
    /// The id of this second.
    #[must_use]
    pub fn at(instant: DateTime<Utc>) -> Self {
        Self(instant.format(FORMAT).to_string())
    }

    /// The second that the id names.
    #[must_use]
    pub fn second(&self) -> DateTime<Utc> {
        parse(&self.0).expect("checked when the id was made")
    }

    /// The id one second later; what a backup takes when this one is in use.
    #[must_use]
    pub fn next(&self) -> Self {
        Self::at(self.second() + Duration::seconds(1))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn parse(text: &str) -> Option<DateTime<Utc>> {
    let shaped = text.len() == 15 && text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let time = NaiveDateTime::parse_from_str(text, FORMAT).ok()?;
    // A leap second parses, as more than a second's worth of nanoseconds.
    let same = time.and_utc().timestamp_subsec_nanos() == 0;
    (shaped && same).then(|| time.and_utc())
}

impl FromStr for BackupId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match parse(text) {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(MalformedId(text.chars().take(80).collect())),
        }
    }
}

impl TryFrom<String> for BackupId {
    type Error = MalformedId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<BackupId> for String {
    fn from(id: BackupId) -> Self {
        id.0
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_real_second_is_an_id() {
        assert!("20250920_143022".parse::<BackupId>().is_ok());
        let wrong = [
            "",
            "20250920",
            "20250920_143060",
            "20250230_000000",
            "20250920-143022",
            "../20250920_1430",
            "20250920_14302",
            "20250920_1430222",
            "+0250920_143022",
            "２０２５０９２０_143022",
        ];
        for text in wrong {
            assert!(text.parse::<BackupId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_next_id_is_a_second_later_also_over_midnight() {
        let id: BackupId = "20241231_235959".parse().expect("well-formed");
        assert_eq!(id.next().as_str(), "20250101_000000");
    }
}
