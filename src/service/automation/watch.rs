//! The loop that looks for what did not happen: a backup that was due, a verification, a cleanup. Each
//! trouble is told once when it begins and once when it is over, also over restarts.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};

use crate::service::automation::protection::Known;
use crate::service::automation::{GLANCE, Upkeep};
use crate::service::jobs::{Job, JobKind, JobResult, JobState};
use crate::service::notify::{Event, Notice};
use crate::service::observe::overview::Newest;
use crate::threads::locked;

/// A scheduled backup that is this late does not come by itself.
pub const LATE: Duration = Duration::minutes(10);
/// So many cleanups that fail one after the other are no coincidence.
const CLEANUPS: u32 = 3;
/// A disk that will be full within so many days is filling.
const FULL_SOON: u64 = 7;

impl Upkeep {
    pub(in crate::service) async fn keep_watch(self) {
        loop {
            self.look_for_what_did_not_happen().await;
            if !self.doze(GLANCE).await {
                return;
            }
        }
    }

    /// Tells of each trouble that has begun, and of each that is over.
    pub async fn look_for_what_did_not_happen(&self) {
        let _alone = self.0.watching.lock().await;
        let Some(known) = self.known().await else { return };
        self.metrics().overdue(known.overdue_since.is_some());
        let troubles = troubles(&known);
        let now: BTreeSet<_> = troubles.iter().map(|(event, _)| *event).collect();
        let before = self.0.memory.record().troubles.clone();
        if now == before {
            return;
        }
        for (event, message) in troubles.into_iter().filter(|(event, _)| !before.contains(event)) {
            tracing::warn!("{message}");
            self.tell(Notice::new(event, message, self.now())).await;
        }
        for event in before.difference(&now) {
            let message = format!("no longer so: {}", event.name().replace('_', " "));
            tracing::info!("{message}");
            self.tell(Notice::new(Event::Resolved, message, self.now())).await;
        }
        self.0.memory.note(|record| record.troubles = now).await;
    }

    /// What is known without asking the store or the database anew; nothing if the store cannot be read.
    pub(in crate::service) async fn known(&self) -> Option<Known> {
        let overview = self.overview().await.ok()?;
        let now = self.now();
        let good = overview.newest_good.as_ref().map(|(_, made)| *made);
        let holds = |round: &crate::service::schedule::Round| round.holds(&overview.proofs, now);
        let verification_overdue = locked(&self.0.round).as_ref().is_some_and(|it| !holds(it));
        Some(Known {
            now,
            newest: overview.newest,
            damaged: overview.damaged,
            failed_at: self.failed_at(good),
            overdue_since: self.overdue_since(overview.newest, now),
            next: self.0.plan.timetable.next(now),
            disk: self.disk_is_filling().await,
            verification_overdue,
            retention_stuck: self.0.memory.record().cleanups_failed >= CLEANUPS,
        })
    }

    /// When the latest scheduled backup failed, if none was made since.
    fn failed_at(&self, good: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        let run = self.0.memory.record().last_run.clone()?;
        let since = good.is_some_and(|made| made > run.at);
        (run.outcome != JobState::Succeeded && !since).then_some(run.at)
    }

    /// When the backup was due that should be there by now. One that is being made is not late: it
    /// ends, one way or the other.
    fn overdue_since(&self, newest: Option<Newest>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let due = self.0.plan.timetable.latest(now - LATE)?;
        let record = self.0.memory.record().clone();
        // Before the first day nothing was due.
        let is_first = record.last_run.is_none() && record.handled_until.is_none_or(|at| due <= at);
        let made = newest.is_some_and(|newest| (due..=now + LATE).contains(&newest.made));
        let ran =
            record.last_run.is_some_and(|run| run.outcome == JobState::Succeeded && run.at >= due);
        let under_way = |job: &Job| job.kind == JobKind::Backup && job.state == JobState::Running;
        let waits = self.0.jobs.latest(usize::MAX).iter().any(under_way);
        (!is_first && !made && !ran && !waits).then_some(due)
    }

    async fn disk_is_filling(&self) -> Option<String> {
        let check = self.disk_has_room();
        if !check.ok {
            return Some(check.detail);
        }
        let days = self.full_in_days().await.filter(|days| *days <= FULL_SOON)?;
        Some(format!("at this rate it is full in {days} days"))
    }

    /// Remembers how many cleanups failed one after the other, or freed nothing of what they should.
    pub(in crate::service) async fn count_cleanup(&self, job: &Job) {
        let failed = match job.state {
            JobState::Failed => true,
            JobState::Succeeded => {
                let result = self.0.jobs.find(job.job_id).ok().and_then(|job| job.result);
                matches!(result, Some(JobResult::Cleanup(report)) if !report.freed.notes.is_empty())
            }
            _ => return,
        };
        let before = self.0.memory.record().cleanups_failed;
        let after = if failed { before.saturating_add(1) } else { 0 };
        if after != before {
            self.0.memory.note(|record| record.cleanups_failed = after).await;
        }
    }
}

/// What is amiss, each with a sentence.
fn troubles(known: &Known) -> Vec<(Event, String)> {
    let at = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M:%S UTC");
    let overdue = known.overdue_since.map(|due| {
        (Event::Overdue, format!("the backup that was due at {} was not made", at(due)))
    });
    let disk = known.disk.as_ref();
    let disk =
        disk.map(|how| (Event::DiskFilling, format!("the disk of the store is filling: {how}")));
    let newest = known.newest.filter(|_| known.clock_is_wrong());
    let clock = newest.map(|newest| {
        let words = format!("the newest backup is dated in the future, {}", at(newest.made));
        (Event::ClockAhead, format!("{words}: check the clock of this machine"))
    });
    let verification = known.verification_overdue.then(|| {
        (Event::VerificationOverdue, "the oldest backup was not verified in time".to_owned())
    });
    let retention = known.retention_stuck.then(|| {
        let words = format!("the last {CLEANUPS} cleanups failed or could not free space");
        (Event::RetentionStuck, words)
    });
    [overdue, disk, clock, verification, retention].into_iter().flatten().collect()
}
