//! Points in time of a plan: two years that end with the last cloud sync.

use chrono::{DateTime, Days, TimeDelta, Utc};

use super::random::Random;

/// 2026-03-01 02:15:03.417265 UTC, in microseconds since 1970.
const LAST_SYNC: i64 = 1_772_331_303_417_265;
const DAYS: u64 = 730;

/// When the cloud sync last touched every subnet.
pub(super) fn last_sync() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(LAST_SYNC).expect("the constant is a valid time")
}

fn first_day() -> DateTime<Utc> {
    last_sync() - Days::new(DAYS)
}

/// An import or a sync: one transaction, whose rows share its `now()`.
#[derive(Clone, Copy)]
pub(super) struct Batch(DateTime<Utc>);

impl Batch {
    /// At any time in the two years.
    pub(super) fn draw(random: &mut Random) -> Self {
        Self(between(first_day(), last_sync(), random))
    }

    /// A creation and a last change. One row in eight was written by itself later, and one in
    /// six was changed by itself since.
    pub(super) fn created_and_updated(self, random: &mut Random) -> (DateTime<Utc>, DateTime<Utc>) {
        let created = if random.one_in(8) { between(self.0, last_sync(), random) } else { self.0 };
        let updated =
            if random.one_in(6) { between(created, last_sync(), random) } else { created };
        (created, updated)
    }
}

/// A time from `from` up to `to`.
pub(super) fn between(
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    random: &mut Random,
) -> DateTime<Utc> {
    let span = (to - from).num_microseconds().unwrap_or_default().unsigned_abs();
    let passed = i64::try_from(random.below(span.max(1))).expect("two years fit");
    from + TimeDelta::microseconds(passed)
}

/// `timestamptz` as PostgreSQL reads it in any session.
pub(super) fn with_zone(moment: DateTime<Utc>) -> impl std::fmt::Display {
    moment.format("%Y-%m-%d %H:%M:%S%.6f+00")
}

/// `timestamp` without a zone.
pub(super) fn without_zone(moment: DateTime<Utc>) -> impl std::fmt::Display {
    moment.format("%Y-%m-%d %H:%M:%S%.6f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_sync_is_the_stated_one_and_keeps_its_microseconds() {
        let written = with_zone(last_sync()).to_string();
        assert_eq!(written, "2026-03-01 02:15:03.417265+00");
    }
}
