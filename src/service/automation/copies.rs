//! The copies into another store: one after each backup, and how old the latest is.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::engine::{Clock, CopyRequest};
use crate::service::automation::memory::Memory;
use crate::service::automation::orders::order;
use crate::service::jobs::{Job, JobKind, JobState, Jobs, Work};
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

impl CopyCheck {
    /// The check where no other store is configured.
    #[must_use]
    pub fn none() -> Self {
        Self { ok: true, age_seconds: None, detail: "no other store is configured".into() }
    }
}

/// Copies backups into another store.
pub struct Copies {
    to: String,
    jobs: Jobs,
    memory: Arc<Memory>,
    clock: Clock,
}

impl Copies {
    /// Copies into the store at this place.
    #[must_use]
    pub fn into_store(to: String, jobs: Jobs, memory: Arc<Memory>, clock: Clock) -> Self {
        Self { to, jobs, memory, clock }
    }

    /// Copies whatever the other store lacks.
    pub fn begin(&self) {
        let waits = |job: &Job| job.kind == JobKind::Copy && job.state == JobState::Queued;
        if self.jobs.latest(usize::MAX).iter().any(waits) {
            return;
        }
        let request = CopyRequest { to: self.to.clone(), ..CopyRequest::default() };
        if let Err(error) = order(&self.jobs, Work::Copy(request)) {
            // The next backup is followed by one again.
            tracing::warn!("could not start the copy into the other store: {error}");
        }
    }

    /// Begins the copy that follows whatever makes backups, and remembers how copies went.
    pub async fn follow(&self, job: &Job) {
        let (succeeded, now) = (job.state == JobState::Succeeded, (self.clock)());
        match job.kind {
            JobKind::Backup | JobKind::Restore | JobKind::Import if succeeded => self.begin(),
            JobKind::Copy if succeeded => {
                let copied = |record: &mut Record| {
                    record.copied_at = Some(now);
                    record.copies_fail = false;
                };
                self.memory.note(copied).await;
            }
            JobKind::Copy if job.state == JobState::Failed => {
                self.memory.note(|record| record.copies_fail = true).await;
            }
            _ => {}
        }
    }

    /// How old the latest copy is, where the newest good backup was made then.
    #[must_use]
    pub fn check(&self, newest: Option<DateTime<Utc>>) -> CopyCheck {
        let (copied, fail) = {
            let record = self.memory.record();
            (record.copied_at, record.copies_fail)
        };
        let now = (self.clock)();
        let age_seconds = copied.map(|copied| (now - copied).num_seconds().max(0));
        let check = |ok, detail: String| CopyCheck { ok, age_seconds, detail };
        if fail {
            return check(false, "the latest copy failed".into());
        }
        let lacks = newest.is_some_and(|made| copied.is_none_or(|copied| copied < made));
        if lacks && newest.is_some_and(|made| now - made > LATE) {
            return check(false, "the newest backup is not copied".into());
        }
        match age_seconds {
            Some(seconds) => check(true, format!("it is {seconds} s old")),
            None => check(true, "nothing was copied yet".into()),
        }
    }
}
