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
    /// Moves what a clock that was ahead has left in the future to now, so that it holds for no longer than
    /// anything else; says whether there was any.
    pub fn catch_up(&mut self, now: DateTime<Utc>) -> bool {
        let times = [&mut self.handled_until, &mut self.copied_at].into_iter().flatten();
        let times = times.chain(self.last_run.as_mut().map(|run| &mut run.at));
        let mut ahead = times.filter(|time| **time > now).peekable();
        let any = ahead.peek().is_some();
        ahead.for_each(|time| *time = now);
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_does_not_last() {
        let now: DateTime<Utc> = "2025-09-20T14:30:00Z".parse().expect("a time");
        let (ahead, before) = (now + chrono::Duration::days(900), now - chrono::Duration::days(1));
        let run = LastRun { at: ahead, outcome: JobState::Failed, backup_id: None, detail: None };
        let mut record = Record {
            handled_until: Some(ahead),
            last_run: Some(run),
            copied_at: Some(before),
            ..Record::default()
        };
        assert!(record.catch_up(now));
        assert_eq!((record.handled_until, record.copied_at), (Some(now), Some(before)));
        assert_eq!(record.last_run.as_ref().map(|run| run.at), Some(now));
        assert!(!record.catch_up(now));
    }
}
