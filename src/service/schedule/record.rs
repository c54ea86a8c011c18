//! What `schedule.json` remembers over restarts.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::BackupId;
use crate::service::jobs::JobState;
use crate::service::notify::Event;

/// How the latest scheduled backup ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// When it ended, RFC 3339.
    pub at: DateTime<Utc>,
    /// How it ended.
    pub outcome: JobState,
    /// The backup that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_id: Option<BackupId>,
    /// Why it made none, or what went wrong with tidying up after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What must outlast the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Everything that was due up to this moment is done, or was tried.
    pub handled_until: Option<DateTime<Utc>>,
    /// The latest scheduled backup.
    pub last_run: Option<LastRun>,
    /// Whether the latest backup failed, whoever asked for it: the next good one is told then.
    #[serde(default)]
    pub backups_fail: bool,
    /// How many cleanups failed one after the other.
    #[serde(default)]
    pub cleanups_failed: u32,
    /// Whether the retention rules may delete what they do not keep.
    #[serde(default)]
    pub retention_confirmed: bool,
    /// What was amiss at the last look, and told.
    #[serde(default)]
    pub troubles: BTreeSet<Event>,
    /// When the latest copy into another store that succeeded ended.
    #[serde(default)]
    pub copied_at: Option<DateTime<Utc>>,
    /// Whether the latest copy failed.
    #[serde(default)]
    pub copies_fail: bool,
}

impl Record {
    /// From when on something may be due. On the first day nothing was missed; and a clock that was
    /// ahead for a while must not keep backups from being made for as long.
    #[must_use]
    pub fn handled(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.handled_until.map_or(now, |handled| handled.min(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_was_missed_before_the_first_day_and_a_wrong_clock_does_not_last() {
        let now: DateTime<Utc> = "2025-09-20T14:30:00Z".parse().expect("a time");
        assert_eq!(Record::default().handled(now), now);
        let ahead =
            Record { handled_until: Some(now + chrono::Duration::days(900)), ..Record::default() };
        assert_eq!(ahead.handled(now), now);
    }
}
