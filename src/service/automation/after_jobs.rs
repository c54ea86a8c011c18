//! What follows the end of a job: it is counted, the audit log gets its entry, the store is measured
//! anew, and whoever is to be told of it is told.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::engine::{CleanupReport, Clock, Kind};
use crate::model::CaptureInfo;
use crate::service::audit::{Audit, Entry, Outcome};
use crate::service::automation::announcer::Announcer;
use crate::service::automation::copies::Copies;
use crate::service::automation::live::Live;
use crate::service::automation::memory::Memory;
use crate::service::automation::retention::Retention;
use crate::service::jobs::{Job, JobKind, JobResult, JobState, Jobs, Trigger};
use crate::service::notify::{Event, Notice};
use crate::service::observe::measures::Measures;
use crate::service::observe::metrics::{Metrics, seconds};

/// Follows up on each job that is over.
pub struct AfterJobs {
    pub(super) live: Live,
    pub(super) jobs: Jobs,
    pub(super) retention: Arc<Retention>,
    pub(super) memory: Arc<Memory>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) audit: Audit,
    pub(super) measures: Measures,
    pub(super) copies: Option<Arc<Copies>>,
    pub(super) announcer: Announcer,
    pub(super) clock: Clock,
}

impl AfterJobs {
    /// Looks at each job once when it is over, until no more will end; those up to this change were
    /// looked at before.
    pub async fn follow_jobs(&self, mut seen: u64, no_more: &CancellationToken) {
        let mut changes = self.jobs.follow();
        loop {
            let over = no_more.is_cancelled();
            for (number, job) in self.jobs.changed_after(seen) {
                seen = seen.max(number);
                if job.state.is_over() {
                    self.follow_up(&job).await;
                }
            }
            if over {
                return;
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = no_more.cancelled() => {}
            }
        }
    }

    fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    async fn follow_up(&self, job: &Job) {
        self.live.follow(job, &self.jobs);
        self.metrics.job_over(job, duration(job), seconds(self.now()));
        if let Some(capture) = self.capture_of(job) {
            self.metrics.rows_read(&capture);
        }
        let deleted = self.deleted_by(job);
        if let Some(deleted) = &deleted {
            tracing::info!("the cleanup of job {} {deleted}", job.job_id);
        }
        if !is_routine(job) {
            let failure = job.failure.as_ref().map(|failure| failure.detail.clone());
            let detail = failure.or(deleted);
            self.audit.record(Entry { detail, ..self.entry(job) }).await;
        }
        self.retention.follow(job).await;
        match job.kind {
            JobKind::Preview | JobKind::Diff | JobKind::Copy => {}
            JobKind::Verify => self.announcer.overviews.forget().await,
            _ => {
                self.announcer.overviews.forget().await;
                self.measures.measure().await;
            }
        }
        if let Some(copies) = &self.copies {
            copies.follow(job).await;
        }
        if job.kind == JobKind::Cleanup {
            self.count_cleanup(job).await;
        }
        for notice in self.notices(job).await {
            self.announcer.tell(notice).await;
        }
    }

    /// Remembers how many cleanups failed one after the other, or freed nothing of what they should.
    async fn count_cleanup(&self, job: &Job) {
        let failed = match job.state {
            JobState::Failed => true,
            JobState::Succeeded => {
                let result = self.jobs.find(job.job_id).ok().and_then(|job| job.result);
                matches!(result, Some(JobResult::Cleanup(report)) if !report.freed.notes.is_empty())
            }
            _ => return,
        };
        let before = self.memory.record().cleanups_failed;
        let after = if failed { before.saturating_add(1) } else { 0 };
        if after != before {
            self.memory.note(|record| record.cleanups_failed = after).await;
        }
    }

    /// How a backup read its rows.
    fn capture_of(&self, job: &Job) -> Option<CaptureInfo> {
        match self.jobs.find(job.job_id).ok()?.result? {
            JobResult::Backup(made) => made.backup_info.capture,
            _ => None,
        }
    }

    /// What a cleanup deleted, in words; nothing if it deleted nothing.
    fn deleted_by(&self, job: &Job) -> Option<String> {
        let result = self.jobs.find(job.job_id).ok()?.result?;
        let JobResult::Cleanup(CleanupReport { deleted, kept, .. }) = result else { return None };
        let ids: Vec<_> = deleted.iter().map(|judged| judged.backup_id.as_str()).collect();
        let deleted = format!("deleted {} and kept {}", ids.join(", "), kept.len());
        (!ids.is_empty()).then_some(deleted)
    }

    fn entry(&self, job: &Job) -> Entry {
        Entry {
            at: self.now(),
            who: Some(job.created_by.clone()),
            role: None,
            action: job.kind.name().into(),
            target: job.target.as_ref().map(ToString::to_string),
            outcome: match job.state {
                JobState::Queued | JobState::Running => Outcome::Accepted,
                JobState::Succeeded => Outcome::Succeeded,
                JobState::Failed => Outcome::Failed,
                JobState::Cancelled => Outcome::Cancelled,
                JobState::Interrupted => Outcome::Interrupted,
            },
            detail: None,
            job_id: Some(job.job_id),
            request_id: job.request_id.clone(),
        }
    }

    /// What there is to tell of this job.
    async fn notices(&self, job: &Job) -> Vec<Notice> {
        let mut notices: Vec<_> = self.event(job).into_iter().collect();
        if job.kind == JobKind::Backup {
            notices.extend(self.recovery(job).await);
            notices.extend(self.success(job));
        }
        notices
    }

    /// A failure that concerns more people than the one who asked.
    fn event(&self, job: &Job) -> Option<Notice> {
        let damage = self.damage(job);
        if !damage.is_empty() {
            let message = format!("damage was found: {}", damage[0]);
            let notice = Notice::new(Event::DamageFound, message, self.now()).about(job);
            return Some(Notice { damage, ..notice });
        }
        let failure = job.failure.as_ref().filter(|_| job.state == JobState::Failed)?;
        // A backup that was deleted before its turn, or a store that somebody sweeps: its turn comes again.
        let passing = matches!(failure.kind, Kind::NoSuchBackup | Kind::Busy);
        if job.kind == JobKind::Verify && job.trigger == Trigger::Schedule && passing {
            return None;
        }
        let only_the_caller =
            job.trigger == Trigger::Request && failure.kind.concerns_the_caller_alone();
        if only_the_caller && failure.kind != Kind::Damaged {
            return None;
        }
        let message = format!("{} failed: {}", job.title(), failure.detail);
        Some(Notice::new(Event::JobFailed, message, self.now()).about(job))
    }

    /// A backup that was made.
    fn success(&self, job: &Job) -> Option<Notice> {
        let message = match self.jobs.find(job.job_id).ok()?.result? {
            JobResult::Backup(made) => format!("backup {} was made", made.backup_id),
            _ => return None,
        };
        Some(Notice::new(Event::BackupMade, message, self.now()).about(job))
    }

    /// The damage to backups that a verification found. What affects none is no reason to wake anybody.
    fn damage(&self, job: &Job) -> Vec<String> {
        if job.kind != JobKind::Verify || job.state != JobState::Succeeded {
            return Vec::new();
        }
        match self.jobs.find(job.job_id).map(|job| job.result) {
            Ok(Some(JobResult::Verify(report))) => {
                report.backups.into_iter().flat_map(|backup| backup.damage).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Remembers whether backups fail, and tells of the first that does not any more.
    async fn recovery(&self, job: &Job) -> Option<Notice> {
        let fails = match job.state {
            JobState::Failed => true,
            JobState::Succeeded => false,
            _ => return None,
        };
        let failed = self.memory.record().backups_fail;
        if fails == failed {
            return None;
        }
        self.memory.note(|record| record.backups_fail = fails).await;
        let message = "backups are made again";
        failed.then(|| Notice::new(Event::BackupRecovered, message, self.now()).about(job))
    }
}

/// Whether a job changes nothing and is nobody's business: a mere look, or a verification that was
/// due and went through.
fn is_routine(job: &Job) -> bool {
    match job.kind {
        JobKind::Preview | JobKind::Diff => true,
        JobKind::Verify => job.trigger == Trigger::Schedule && job.state == JobState::Succeeded,
        _ => false,
    }
}

fn duration(job: &Job) -> Option<f64> {
    Some((job.finished_at? - job.started_at?).as_seconds_f64())
}
