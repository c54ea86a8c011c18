//! The copies into another store: one after each backup, and how old the latest is.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::engine::CopyRequest;
use crate::service::automation::Upkeep;
use crate::service::jobs::{Job, JobKind, JobState, Work};
use crate::service::schedule::Record;

/// How much later than a backup its copy may be.
const LATE: TimeDelta = TimeDelta::hours(6);

/// The copies into another store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CopyCheck {
    /// Whether every backup is copied in time.
    pub ok: bool,
    /// The age of the latest copy that succeeded.
    pub age_seconds: Option<i64>,
    /// The same in words.
    pub detail: String,
}

impl Upkeep {
    /// Copies whatever the other store lacks, if there is one.
    pub(super) fn copy(&self) {
        let Some(to) = &self.0.plan.copy_to else { return };
        let waits = |job: &Job| job.kind == JobKind::Copy && job.state == JobState::Queued;
        if self.0.jobs.latest(usize::MAX).iter().any(waits) {
            return;
        }
        let request = CopyRequest { to: to.clone(), ..CopyRequest::default() };
        if let Err(error) = self.order(Work::Copy(request)) {
            // The next backup is followed by one again.
            tracing::warn!("could not start the copy into the other store: {error}");
        }
    }

    /// Begins the copy that follows whatever makes backups, and remembers how copies went.
    pub(super) async fn copy_after(&self, job: &Job) {
        let (succeeded, now) = (job.state == JobState::Succeeded, self.now());
        match job.kind {
            JobKind::Backup | JobKind::Restore | JobKind::Import if succeeded => self.copy(),
            JobKind::Copy if succeeded => {
                let copied = |record: &mut Record| {
                    record.copied_at = Some(now);
                    record.copies_fail = false;
                };
                self.0.memory.note(copied).await;
            }
            JobKind::Copy if job.state == JobState::Failed => {
                self.0.memory.note(|record| record.copies_fail = true).await;
            }
            _ => {}
        }
    }

    /// How old the latest copy is, where the newest good backup was made then.
    pub(super) fn copies(&self, newest: Option<DateTime<Utc>>) -> CopyCheck {
        let check = |ok, age_seconds, detail: &str| CopyCheck {
            ok,
            age_seconds,
            detail: detail.to_owned(),
        };
        if self.0.plan.copy_to.is_none() {
            return check(true, None, "no other store is configured");
        }
        let (copied, fail) = {
            let record = self.0.memory.record();
            (record.copied_at, record.copies_fail)
        };
        let now = self.now();
        let age = copied.map(|copied| (now - copied).num_seconds().max(0));
        if fail {
            return check(false, age, "the latest copy failed");
        }
        let lacks = newest.is_some_and(|made| copied.is_none_or(|copied| copied < made));
        if lacks && newest.is_some_and(|made| now - made > LATE) {
            return check(false, age, "the newest backup is not copied");
        }
        match age {
            Some(seconds) => check(true, age, &format!("it is {seconds} s old")),
            None => check(true, None, "nothing was copied yet"),
        }
    }
}
