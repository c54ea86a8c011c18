//! What follows the end of a job: it is counted, the audit log gets its entry, the store is measured
//! anew, and whoever is to be told of it is told.

use crate::engine::{CleanupReport, Kind};
use crate::service::audit::{Entry, Outcome};
use crate::service::automation::{Upkeep, seconds};
use crate::service::jobs::{Job, JobKind, JobResult, JobState, Trigger, Work};
use crate::service::notify::{Event, Notice};

impl Upkeep {
    /// Looks at each job once when it is over; those up to this change were looked at before.
    pub(in crate::service) async fn follow_jobs(self, mut seen: u64) {
        let mut changes = self.0.jobs.follow();
        loop {
            let over = self.0.over.is_cancelled();
            for (number, job) in self.0.jobs.changed_after(seen) {
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
                () = self.0.over.cancelled() => {}
            }
        }
    }

    async fn follow_up(&self, job: &Job) {
        self.metrics().job_over(job, duration(job), seconds(self.now()));
        let deleted = self.deleted_by(job);
        if let Some(deleted) = &deleted {
            tracing::info!("the cleanup of job {} {deleted}", job.job_id);
        }
        if !is_routine(job) {
            let failure = job.failure.as_ref().map(|failure| failure.detail.clone());
            let detail = failure.or(deleted);
            self.0.audit.record(Entry { detail, ..self.entry(job) }).await;
        }
        match job.kind {
            JobKind::Preview | JobKind::Diff | JobKind::Copy => {}
            JobKind::Verify => self.0.overview.forget().await,
            _ => {
                self.0.overview.forget().await;
                self.measure().await;
            }
        }
        self.copy_after(job).await;
        if job.kind == JobKind::Cleanup {
            self.count_cleanup(job).await;
        }
        self.clean_up_after(job).await;
        for notice in self.notices(job).await {
            self.tell(notice).await;
        }
    }

    /// Sends a notice, with the newest good backup.
    pub(in crate::service) async fn tell(&self, notice: Notice) {
        let good = match self.overview().await {
            Ok(overview) => overview.newest_good.as_ref().map(|(id, _)| id.clone()),
            Err(_) => None,
        };
        self.notify(&Notice { last_good_backup: good, ..notice });
    }

    /// Begins the cleanup that follows a backup which somebody asked for; a scheduled one has its own.
    async fn clean_up_after(&self, job: &Job) {
        let asked_for = job.kind == JobKind::Backup && job.trigger == Trigger::Request;
        if !asked_for || job.state != JobState::Succeeded {
            return;
        }
        let Some(policy) = &self.0.plan.retention else { return };
        // A cleanup keeps others waiting, so there is none unless something goes.
        if matches!(self.0.engine.would_clean_up(policy).await, Ok(false)) {
            return;
        }
        if let Err(error) = self.order(Work::Cleanup(policy.clone())) {
            // The next backup is followed by one again.
            tracing::info!(
                "could not start the cleanup after the backup of job {}: {error}",
                job.job_id
            );
        }
    }

    /// What a cleanup deleted, in words; nothing if it deleted nothing.
    fn deleted_by(&self, job: &Job) -> Option<String> {
        let result = self.0.jobs.find(job.job_id).ok()?.result?;
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
        let message = match self.0.jobs.find(job.job_id).ok()?.result? {
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
        match self.0.jobs.find(job.job_id).map(|job| job.result) {
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
        let failed = self.0.memory.record().backups_fail;
        if fails == failed {
            return None;
        }
        self.0.memory.note(|record| record.backups_fail = fails).await;
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
