//! The copies into another store: one after each backup, and whether they keep up.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::engine::{Clock, CopyReport, CopyRequest, EarlierCopies};
use crate::service::automation::memory::Memory;
use crate::service::automation::orders::{order, waits};
use crate::service::automation::protection::span;
use crate::service::jobs::{Job, JobKind, JobResult, JobState, Jobs, Work};
use crate::service::observe::overview::Overview;
use crate::service::schedule::{CopyRecord, Record};

/// Time for which a backup may wait for its copy.
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
    /// Copies into the store at this place, if there is one. What is remembered of another place is
    /// forgotten.
    pub async fn planned(
        to: Option<String>,
        jobs: Jobs,
        memory: Arc<Memory>,
        clock: Clock,
    ) -> Option<Arc<Self>> {
        let Some(to) = to else {
            if memory.record().copies.is_some() {
                memory.note(|record| record.copies = None).await;
            }
            return None;
        };
        let copies = Self { to, jobs, memory, clock };
        // Noted at once: from now on backups wait for their copies.
        copies.note(|_| {}).await;
        Some(Arc::new(copies))
    }

    /// Copies whatever the other store lacks.
    pub fn begin(&self) {
        if waits(&self.jobs, JobKind::Copy) {
            return;
        }
        let CopyRecord { store_id, copied, .. } = self.record();
        let earlier = Some(EarlierCopies { store_id, copied });
        let request = CopyRequest { to: self.to.clone(), earlier, ..CopyRequest::default() };
        if let Err(error) = order(&self.jobs, Work::Copy(request)) {
            // The next backup is followed by one again.
            tracing::warn!("could not start the copy into the other store: {error}");
        }
    }

    /// Begins the copy that follows whatever makes backups, and remembers how copies went.
    pub async fn follow(&self, job: &Job) {
        let (succeeded, now) = (job.state == JobState::Succeeded, (self.clock)());
        match job.kind {
            JobKind::Backup | JobKind::Restore | JobKind::Import if succeeded => {
                self.note(|record| record.waiting_since = record.waiting_since.or(Some(now))).await;
                self.begin();
            }
            JobKind::Copy if succeeded => {
                let result = self.jobs.find(job.job_id).ok().and_then(|job| job.result);
                if let Some(JobResult::Copy(report)) = result {
                    self.note(|record| record.add(report, now)).await;
                }
            }
            JobKind::Copy if job.state == JobState::Failed => {
                self.note(|record| record.failed = true).await;
            }
            // One that was cancelled or interrupted copied nothing that can be relied on.
            _ => {}
        }
    }

    /// Returns since when a backup waits for its copy, if that is too long.
    #[must_use]
    pub fn overdue_since(&self, overview: &Overview) -> Option<DateTime<Utc>> {
        let since = self.record().waits_since(&overview.good)?;
        ((self.clock)() - since > LATE).then_some(since)
    }

    /// Returns how old the latest copy is, and whether a backup waits for its own too long.
    #[must_use]
    pub fn check(&self, overview: Option<&Overview>) -> CopyCheck {
        let (record, now) = (self.record(), (self.clock)());
        let age_seconds = record.copied_at.map(|copied| (now - copied).num_seconds().max(0));
        let check = |ok, detail: String| CopyCheck { ok, age_seconds, detail };
        if record.failed {
            return check(false, "the latest copy failed".into());
        }
        if let Some(since) = overview.and_then(|overview| self.overdue_since(overview)) {
            return check(false, format!("a backup waits for its copy for {}", span(now - since)));
        }
        match age_seconds {
            Some(seconds) => check(true, format!("it is {seconds} s old")),
            None => check(true, "nothing was copied yet".into()),
        }
    }

    /// What is remembered of this place.
    fn record(&self) -> CopyRecord {
        let record = self.memory.record().copies.clone();
        record.filter(|record| record.to == self.to).unwrap_or_else(|| self.new_record())
    }

    fn new_record(&self) -> CopyRecord {
        CopyRecord::begun(&self.to, (self.clock)())
    }

    async fn note(&self, change: impl FnOnce(&mut CopyRecord)) {
        let new = self.new_record();
        let change = |remembered: &mut Record| {
            let known = remembered.copies.take().filter(|record| record.to == self.to);
            change(remembered.copies.insert(known.unwrap_or(new)));
        };
        self.memory.note(change).await;
    }
}

impl CopyRecord {
    /// Notes a copy that succeeded.
    fn add(&mut self, report: CopyReport, now: DateTime<Utc>) {
        let CopyReport { store_id, copied, present, repaired, deleted, .. } = report;
        self.copied = [copied, present, repaired, deleted].into_iter().flatten().collect();
        self.store_id = Some(store_id);
        self.copied_at = Some(now);
        self.waiting_since = None;
        self.failed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BackupId;

    #[test]
    fn backup_waits_for_its_copy_since_it_was_made_or_since_one_before_that_is_gone() {
        let at = |hour: i64| {
            let zero: DateTime<Utc> = "2025-09-20T00:00:00Z".parse().expect("a time");
            zero + TimeDelta::hours(hour)
        };
        let id = |hour: i64| -> BackupId {
            at(hour).format("%Y%m%d_%H%M%S").to_string().parse().expect("an id")
        };
        let backups = [3, 2, 1].map(|hour| (id(hour), at(hour)));
        let record = CopyRecord::begun("/copy", at(0));
        assert_eq!(record.waits_since(&backups), Some(at(1)));
        assert_eq!(record.waits_since(&[]), None);
        let later = CopyRecord { since: at(9), ..record.clone() };
        assert_eq!(later.waits_since(&backups), Some(at(9)));
        let some = CopyRecord { copied: [id(1), id(3)].into(), ..record.clone() };
        assert_eq!(some.waits_since(&backups), Some(at(2)));
        let waiting_since = Some(at(1));
        assert_eq!(CopyRecord { waiting_since, ..some }.waits_since(&backups), Some(at(1)));
        let all = [1, 2, 3].map(id).into();
        assert_eq!(CopyRecord { copied: all, waiting_since, ..record }.waits_since(&backups), None);
    }
}
