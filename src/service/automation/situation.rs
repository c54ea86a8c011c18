//! What is known of how the address plan is protected, without asking the store or the database anew.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::engine::Clock;
use crate::service::automation::continuous::Continuous;
use crate::service::automation::copies::Copies;
use crate::service::automation::health::Check;
use crate::service::automation::live::Live;
use crate::service::automation::memory::Memory;
use crate::service::automation::orders::LATE;
use crate::service::automation::protection::Known;
use crate::service::automation::verification::Verification;
use crate::service::jobs::{Job, JobKind, JobState, Jobs};
use crate::service::observe::measures::Measures;
use crate::service::observe::overview::{Newest, Overview};
use crate::service::schedule::Timetable;

/// So many cleanups that fail one after the other are no coincidence.
pub const CLEANUPS: u32 = 3;
/// A disk that will be full within so many days is filling.
const FULL_SOON: u64 = 7;

/// Judges the situation. Cloning is cheap.
#[derive(Clone)]
pub struct Situation {
    pub(super) live: Live,
    pub(super) timetable: Timetable,
    pub(super) jobs: Jobs,
    pub(super) memory: Arc<Memory>,
    pub(super) measures: Measures,
    pub(super) verification: Option<Arc<Verification>>,
    pub(super) copies: Option<Arc<Copies>>,
    pub(super) continuous: Option<Arc<Continuous>>,
    pub(super) clock: Clock,
}

impl Situation {
    /// What measures the store.
    #[must_use]
    pub fn measures(&self) -> &Measures {
        &self.measures
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// What is known, where this is the store.
    pub async fn known(&self, overview: &Overview) -> Known {
        let now = (self.clock)();
        let good = overview.newest_good.as_ref().map(|(_, made)| *made);
        let in_time = |verification: &Arc<Verification>| verification.is_in_time(overview);
        Known {
            now,
            newest: overview.newest.clone(),
            restored: overview.restored.clone(),
            differs: self.differs(overview),
            damaged: overview.damaged,
            failed_at: self.failed_at(good),
            overdue_since: self.overdue_since(overview.newest.as_ref(), now),
            next: self.timetable.next(now),
            disk: self.disk_is_filling().await,
            verification_overdue: !self.verification.as_ref().is_none_or(in_time),
            copy_overdue_since: self.copies.as_ref().and_then(|it| it.overdue_since(overview)),
            watch: self.continuous.as_ref().map(|it| it.every()),
            unwatched_since: self.continuous.as_ref().and_then(|it| it.failing_since()),
            mismatch: overview.mismatch.clone(),
            retention_stuck: self.memory.record().cleanups_failed >= CLEANUPS,
        }
    }

    /// How many live rows differed from the backup that they come from, when they were last read.
    fn differs(&self, overview: &Overview) -> u64 {
        let read = self.live.last_read();
        let read = read.filter(|read| Some(&read.backup_id) == overview.reference());
        read.map_or(0, |read| read.counts.rows())
    }

    /// When the latest scheduled backup failed, if none was made since.
    fn failed_at(&self, good: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        let run = self.memory.record().last_run.clone()?;
        let since = good.is_some_and(|made| made > run.at);
        (run.outcome != JobState::Succeeded && !since).then_some(run.at)
    }

    /// When the backup was due that should be there by now. One that is being made is not late: it
    /// ends, one way or the other.
    fn overdue_since(&self, newest: Option<&Newest>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let due = self.timetable.latest(now - LATE)?;
        let record = self.memory.record().clone();
        // Before the first day nothing was due.
        let is_first = record.last_run.is_none() && record.handled_until.is_none_or(|at| due <= at);
        let made = newest.is_some_and(|newest| (due..=now + LATE).contains(&newest.made));
        let ran =
            record.last_run.is_some_and(|run| run.outcome == JobState::Succeeded && run.at >= due);
        let under_way = |job: &Job| job.kind == JobKind::Backup && job.state == JobState::Running;
        let waits = self.jobs.latest(usize::MAX).iter().any(under_way);
        (!is_first && !made && !ran && !waits).then_some(due)
    }

    async fn disk_is_filling(&self) -> Option<String> {
        // A store that is gone has no disk, which is no news of the disk.
        let check = Check::of_space(self.measures.disk()?);
        if !check.ok {
            return Some(check.detail);
        }
        let days = self.measures.full_in_days().await.filter(|days| *days <= FULL_SOON)?;
        Some(format!("at this rate it is full in {days} days"))
    }
}
