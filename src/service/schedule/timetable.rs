//! When backups are due: cron expressions in one time zone. Pure: instants in, instants out.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use serde::Serialize;

/// The times at which backups are due.
#[derive(Debug, Clone, Default)]
pub struct Timetable {
    zone: Tz,
    lines: Vec<Line>,
}

#[derive(Debug, Clone)]
struct Line {
    expression: String,
    cron: Cron,
}

/// One line of the timetable and when it is due next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Upcoming {
    /// The cron expression, as it was given.
    pub expression: String,
    /// When it is due next, RFC 3339.
    pub next_at: Option<DateTime<Utc>>,
}

/// The text is no timetable.
#[derive(Debug, thiserror::Error)]
pub enum TimetableError {
    /// No cron expression.
    #[error("invalid schedule {expression:?}: {why} (one looks like \"0 * * * *\")")]
    Expression {
        /// What was given.
        expression: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no such time zone.
    #[error("there is no time zone {0:?}; one looks like Europe/Berlin or UTC")]
    Zone(String),
}

impl Timetable {
    /// A timetable of these cron expressions (minute, hour, day of month, month, day of week; six
    /// fields begin with the second), each of which must come true some day.
    ///
    /// # Errors
    /// Says which text cannot be understood.
    pub fn new(expressions: &[String], zone: &str) -> Result<Self, TimetableError> {
        let zone =
            zone.parse().map_err(|_| TimetableError::Zone(zone.chars().take(80).collect()))?;
        let line = |expression: &String| {
            let wrong = |why: String| TimetableError::Expression {
                expression: expression.chars().take(80).collect(),
                why,
            };
            let cron: Cron =
                expression.parse().map_err(|e: croner::errors::CronError| wrong(e.to_string()))?;
            let line = Line { expression: expression.clone(), cron };
            match line.next(zone, DateTime::UNIX_EPOCH) {
                Some(_) => Ok(line),
                None => Err(wrong("it never comes true".into())),
            }
        };
        Ok(Self { zone, lines: expressions.iter().map(line).collect::<Result<_, _>>()? })
    }

    /// Whether nothing is ever due.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The name of the time zone.
    #[must_use]
    pub fn zone(&self) -> &'static str {
        self.zone.name()
    }

    /// Each line with its next time.
    #[must_use]
    pub fn upcoming(&self, now: DateTime<Utc>) -> Vec<Upcoming> {
        let upcoming = |line: &Line| Upcoming {
            expression: line.expression.clone(),
            next_at: line.next(self.zone, now),
        };
        self.lines.iter().map(upcoming).collect()
    }

    /// The first time after this one.
    #[must_use]
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.lines.iter().filter_map(|line| line.next(self.zone, after)).min()
    }

    /// The last time that is not after this one.
    #[must_use]
    pub fn latest(&self, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.lines.iter().filter_map(|line| line.latest(self.zone, until)).max()
    }

    /// What is due now if all up to `handled` is done: the latest time, however many were missed.
    #[must_use]
    pub fn due(&self, handled: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.latest(now).filter(|time| *time > handled)
    }
}

impl Line {
    fn next(&self, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let after = after.with_timezone(&zone);
        self.cron.find_next_occurrence(&after, false).ok().map(|time| time.to_utc())
    }

    fn latest(&self, zone: Tz, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let until = until.with_timezone(&zone);
        self.cron.find_previous_occurrence(&until, true).ok().map(|time| time.to_utc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn timetable(expressions: &[&str], zone: &str) -> Timetable {
        let expressions: Vec<_> = expressions.iter().map(|&text| text.to_owned()).collect();
        Timetable::new(&expressions, zone).expect("a timetable")
    }

    #[test]
    fn the_earliest_of_all_lines_is_next_and_the_latest_was_last() {
        let table = timetable(&["0 * * * *", "30 2 * * *"], "UTC");
        assert_eq!(table.next(at("2025-09-20T02:10:00Z")), Some(at("2025-09-20T02:30:00Z")));
        assert_eq!(table.next(at("2025-09-20T03:00:00Z")), Some(at("2025-09-20T04:00:00Z")));
        assert_eq!(table.latest(at("2025-09-20T02:45:00Z")), Some(at("2025-09-20T02:30:00Z")));
        assert_eq!(table.latest(at("2025-09-20T02:30:00Z")), Some(at("2025-09-20T02:30:00Z")));
    }

    #[test]
    fn the_hour_is_that_of_the_time_zone() {
        let table = timetable(&["0 2 * * *"], "Europe/Berlin");
        assert_eq!(table.next(at("2025-07-01T00:00:00Z")), Some(at("2025-07-02T00:00:00Z")));
        assert_eq!(table.next(at("2025-01-01T00:00:00Z")), Some(at("2025-01-01T01:00:00Z")));
    }

    #[test]
    fn a_day_on_which_the_clock_changes_has_its_backup_once() {
        let runs = |(zone, line): (&str, &str), from: &str, until: &str| {
            let table = timetable(&[line], zone);
            let (mut time, mut runs) = (at(from), Vec::new());
            while let Some(next) = table.next(time).filter(|next| *next < at(until)) {
                runs.push(next.to_rfc3339());
                time = next;
            }
            runs
        };
        // On the last Sunday of March 02:30 does not exist, on that of October it comes twice.
        let berlin = ("Europe/Berlin", "30 2 * * *");
        assert_eq!(runs(berlin, "2025-03-29T12:00:00Z", "2025-03-30T12:00:00Z").len(), 1);
        assert_eq!(runs(berlin, "2025-10-25T12:00:00Z", "2025-10-26T12:00:00Z").len(), 1);
        // There the clock changes by half an hour: 01:45 comes twice in April, 02:15 not in October.
        let (twice, never) =
            (("Australia/Lord_Howe", "45 1 * * *"), ("Australia/Lord_Howe", "15 2 * * *"));
        assert_eq!(runs(twice, "2025-04-05T03:00:00Z", "2025-04-06T03:00:00Z").len(), 1);
        assert_eq!(runs(never, "2025-10-04T03:00:00Z", "2025-10-05T03:00:00Z").len(), 1);
    }

    #[test]
    fn however_many_runs_were_missed_one_is_due() {
        let table = timetable(&["0 * * * *"], "UTC");
        let (handled, now) = (at("2025-09-01T10:00:00Z"), at("2025-09-20T14:30:00Z"));
        let due = table.due(handled, now).expect("one is due");
        assert_eq!(due, at("2025-09-20T14:00:00Z"));
        assert_eq!(table.due(due, now), None);
        assert_eq!(table.due(now, handled), None);
    }

    #[test]
    fn what_is_no_timetable_is_refused_in_words() {
        let refused = |expression: &str, zone: &str| {
            Timetable::new(&[expression.to_owned()], zone).expect_err("refused").to_string()
        };
        for wrong in ["", "hourly", "61 * * * *", "0 0 30 2 *", "* * *"] {
            assert!(refused(wrong, "UTC").contains("invalid schedule"), "{wrong:?}");
        }
        assert!(refused("0 * * * *", "Mars/Olympus").contains("no time zone"));
        assert!(timetable(&[], "UTC").is_empty());
    }
}
