//! The loop of the scheduled backups: one when it is due and, once it is made, what the retention says.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::engine::{BackupRequest, Clock};
use crate::model::Policy;
use crate::service::ServiceError;
use crate::service::automation::announcer::Announcer;
use crate::service::automation::memory::Memory;
use crate::service::automation::orders::{GLANCE, LATE, SCHEDULE, order, wait, waits};
use crate::service::automation::protection::span;
use crate::service::automation::retention::Retention;
use crate::service::jobs::{Job, JobKind, JobResult, JobState, Jobs, Work};
use crate::service::notify::{Event, Heartbeat, Notice, Ping};
use crate::service::schedule::{LastRun, Timetable};

/// The shortest time between two looks at the clock.
const BLINK: Duration = Duration::from_millis(20);

/// Makes the scheduled backups.
pub struct Backups {
    pub(super) timetable: Timetable,
    pub(super) retention: Arc<Retention>,
    pub(super) jobs: Jobs,
    pub(super) memory: Arc<Memory>,
    pub(super) announcer: Announcer,
    pub(super) heartbeat: Option<Arc<Heartbeat>>,
    pub(super) clock: Clock,
    /// Held by whoever makes a scheduled backup: one at a time.
    pub(super) making: tokio::sync::Mutex<()>,
}

impl Backups {
    /// Makes a backup whenever one is due, until nothing more is to be begun.
    pub async fn keep_backing_up(&self, resting: &CancellationToken) {
        loop {
            self.back_up_if_due().await;
            let now = (self.clock)();
            let next = self.timetable.next(now);
            let left = next.and_then(|next| (next - now).to_std().ok()).unwrap_or(GLANCE);
            if !wait(left.clamp(BLINK, GLANCE), resting).await {
                return;
            }
        }
    }

    /// Makes a backup if one is due, however many were missed meanwhile; says whether one was due.
    pub async fn back_up_if_due(&self) -> bool {
        let _alone = self.making.lock().await;
        let now = (self.clock)();
        self.memory.catch_up(now).await;
        // On the first day nothing was missed.
        let handled = self.memory.record().handled_until.unwrap_or(now);
        let Some(due) = self.timetable.due(handled, now) else { return false };
        if now - due > LATE {
            let message = format!(
                "the backup that was due {} ago was missed; one is made now",
                span(now - due)
            );
            self.announcer.tell(Notice::new(Event::Missed, message, now)).await;
        }
        let request = BackupRequest {
            description: Some("Scheduled backup".into()),
            created_by: Some(SCHEDULE.into()),
            ..BackupRequest::default()
        };
        self.beat(Ping::Start);
        let Some(mut run) = self.carry_out(Work::Backup(request)).await else {
            return true;
        };
        self.beat(match run.outcome {
            JobState::Succeeded => Ping::Success,
            _ => Ping::Fail(run.detail.clone().unwrap_or_else(|| "it was cancelled".into())),
        });
        // Nothing is deleted where nothing was added: the backups that are there may be all there will be.
        if let (JobState::Succeeded, Some(policy)) = (run.outcome, self.retention.in_force()) {
            let Some(trouble) = self.clean_up(policy).await else { return true };
            if let Some(why) = trouble {
                let before = run.detail.map(|before| before + "; ").unwrap_or_default();
                run.detail = Some(format!("{before}cleaning up afterwards: {why}"));
            }
        }
        self.memory
            .note(|record| {
                record.handled_until = Some(now);
                record.last_run = Some(run);
            })
            .await;
        true
    }

    fn beat(&self, ping: Ping) {
        if let Some(heartbeat) = &self.heartbeat {
            heartbeat.ping(ping);
        }
    }

    /// Cleans up, and says what went wrong; nothing if the service ended before. A cleanup that has to
    /// wait for others is not waited for: the next backup may be due before.
    async fn clean_up(&self, policy: &Policy) -> Option<Option<String>> {
        if waits(&self.jobs, JobKind::Cleanup) {
            return Some(None);
        }
        let ended = match order(&self.jobs, Work::Cleanup(policy.clone())) {
            Ok(job) if job.state == JobState::Queued => return Some(None),
            Ok(job) => self.jobs.ended(job.job_id).await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(job) if job.state == JobState::Interrupted => None,
            Err(ServiceError::ShuttingDown) => None,
            Ok(job) if job.state == JobState::Succeeded => Some(None),
            Ok(job) => Some(Some(job.failure.map(|failure| failure.detail).unwrap_or_default())),
            Err(error) => {
                tracing::error!("could not start the cleanup: {error}");
                Some(Some(error.to_string()))
            }
        }
    }

    /// Has it done and waits for its end; nothing if the service ended before: then it is still due
    /// when the service is back.
    async fn carry_out(&self, work: Work) -> Option<LastRun> {
        let ended = match order(&self.jobs, work) {
            Ok(job) => self.jobs.ended(job.job_id).await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(job) if job.state == JobState::Interrupted => None,
            Ok(job) => Some(self.told(&job)),
            Err(ServiceError::ShuttingDown) => None,
            Err(error) => {
                tracing::error!("could not start a scheduled job: {error}");
                let detail = Some(error.to_string());
                Some(LastRun {
                    at: (self.clock)(),
                    outcome: JobState::Failed,
                    backup_id: None,
                    detail,
                })
            }
        }
    }

    fn told(&self, job: &Job) -> LastRun {
        let backup_id = match &job.result {
            Some(JobResult::Backup(made)) => Some(made.backup_id.clone()),
            _ => None,
        };
        LastRun {
            at: (self.clock)(),
            outcome: job.state,
            backup_id,
            detail: job.failure.as_ref().map(|failure| failure.detail.clone()),
        }
    }
}
