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

/// What must outlast the process. Keys of other versions are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// How copies into another store went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<CopyRecord>,
}

/// Record of the copies into one other store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyRecord {
    /// The other store's place, as it was named.
    pub to: String,
    /// Since when backups are copied there.
    pub since: DateTime<Utc>,
    /// The id of the store that the latest copy found there.
    pub store_id: Option<String>,
    /// When the latest copy that succeeded ended.
    pub copied_at: Option<DateTime<Utc>>,
    /// Backups that were copied.
    pub copied: BTreeSet<BackupId>,
    /// When the first backup was made that no copy has followed yet.
    pub waiting_since: Option<DateTime<Utc>>,
    /// Whether the latest copy failed.
    pub failed: bool,
}

impl CopyRecord {
    /// Nothing was copied there yet.
    #[must_use]
    pub fn begun(to: &str, since: DateTime<Utc>) -> Self {
        Self {
            to: to.to_owned(),
            since,
            store_id: None,
            copied_at: None,
            copied: BTreeSet::new(),
            waiting_since: None,
            failed: false,
        }
    }

    fn times(&mut self) -> impl Iterator<Item = &mut DateTime<Utc>> {
        let Self { since, copied_at, waiting_since, .. } = self;
        [Some(since), copied_at.as_mut(), waiting_since.as_mut()].into_iter().flatten()
    }

    /// Returns since when a backup of these waits for its copy; backups are given with when they were made.
    #[must_use]
    pub fn waits_since(&self, backups: &[(BackupId, DateTime<Utc>)]) -> Option<DateTime<Utc>> {
        let waiting = backups.iter().filter(|(id, _)| !self.copied.contains(id));
        let oldest = waiting.map(|(_, made)| *made).min()?;
        // One that was made since may be deleted already; and before all this nothing could be copied.
        let first = self.waiting_since.map_or(oldest, |since| since.min(oldest));
        Some(first.max(self.since))
    }
}

impl Record {
    /// Moves what a clock that was ahead has left in the future to now, so that it holds for no longer than
    /// anything else; says whether there was any.
    pub fn catch_up(&mut self, now: DateTime<Utc>) -> bool {
        let times = self.handled_until.iter_mut();
        let times = times.chain(self.last_run.as_mut().map(|run| &mut run.at));
        let times = times.chain(self.copies.iter_mut().flat_map(CopyRecord::times));
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
            copies: Some(CopyRecord {
                copied_at: Some(before),
                ..CopyRecord::begun("/copy", ahead)
            }),
            ..Record::default()
        };
        assert!(record.catch_up(now));
        let copies = record.copies.as_ref().map(|copies| (copies.since, copies.copied_at));
        assert_eq!((record.handled_until, copies), (Some(now), Some((now, Some(before)))));
        assert_eq!(record.last_run.as_ref().map(|run| run.at), Some(now));
        assert!(!record.catch_up(now));
    }
}
