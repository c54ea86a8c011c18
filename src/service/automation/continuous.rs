//! The loop that looks for changes and makes a backup whenever there are some.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use crate::engine::{BackupRequest, Clock, Engine, EngineError, Look, Looked, Run};
use crate::service::automation::orders::{LATE, WATCH, order, wait};
use crate::service::automation::retention::Retention;

use crate::service::jobs::{Job, JobKind, JobState, Jobs, Work};
use crate::threads::locked;

/// After so many looks that failed, they count as late.
const MISSED: i32 = 5;

/// Looks for changes.
pub struct Continuous {
    every: Duration,
    engine: Engine,
    jobs: Jobs,
    retention: Arc<Retention>,
    clock: Clock,
    /// How long a look may make no progress.
    stall_timeout: Duration,
    /// What earlier looks told; held by whoever looks: one at a time.
    looked: tokio::sync::Mutex<Looked>,
    /// Since when looks, or the backups that they led to, have failed.
    failing: Mutex<Option<DateTime<Utc>>>,
}

impl Continuous {
    /// Looks this often, if at all.
    pub(super) fn planned(
        every: Option<Duration>,
        (engine, jobs, retention): (Engine, Jobs, Arc<Retention>),
        clock: &Clock,
        stall_timeout: Duration,
    ) -> Option<Arc<Self>> {
        let (looked, failing) = (tokio::sync::Mutex::default(), Mutex::default());
        let (every, clock) = (every?, clock.clone());
        let this = Self { every, engine, jobs, retention, clock, stall_timeout, looked, failing };
        Some(Arc::new(this))
    }

    /// Looks again and again, until nothing more is to be begun.
    pub async fn keep_looking(&self, resting: &CancellationToken) {
        loop {
            self.look().await;
            if !wait(self.every, resting).await {
                return;
            }
        }
    }

    /// The time between two looks.
    #[must_use]
    pub fn every(&self) -> Duration {
        self.every
    }

    /// Since when changes could not be looked for or kept, if that is too long.
    #[must_use]
    pub fn failing_since(&self) -> Option<DateTime<Utc>> {
        let since = (*locked(&self.failing))?;
        let every = TimeDelta::from_std(self.every).unwrap_or(TimeDelta::MAX);
        let late = every.checked_mul(MISSED).unwrap_or(TimeDelta::MAX).max(LATE);
        ((self.clock)() - since > late).then_some(since)
    }

    /// Looks once, and makes a backup if something has changed; says what it saw, if it could look.
    pub async fn look(&self) -> Option<Look> {
        let mut looked = self.looked.lock().await;
        // A backup that is under way keeps what there is to keep.
        if self.is_backup_under_way() {
            return None;
        }
        match self.look_within(&mut looked).await {
            Ok(Look::Changed) => {
                let made = self.back_up(&looked).await;
                self.note(made);
                Some(Look::Changed)
            }
            Ok(look) => {
                self.note(true);
                Some(look)
            }
            Err(error) => {
                let chain = error.chain().join(": ");
                if self.note(false) {
                    tracing::warn!("could not look for changes: {chain}");
                } else {
                    tracing::debug!("could not look for changes: {chain}");
                }
                None
            }
        }
    }

    async fn look_within(&self, looked: &mut Looked) -> Result<Look, EngineError> {
        let run = Run::new();
        let ended = tokio::select! {
            look = self.engine.look_for_changes(looked, &run) => Ok(look),
            stalled = run.stalled(self.stall_timeout) => Err(stalled),
        };
        match ended {
            Ok(look) => look,
            Err(stalled) => {
                if let Err(error) = run.end_sessions().await {
                    tracing::debug!("could not terminate the database session: {error}");
                }
                Err(stalled)
            }
        }
    }

    /// Remembers whether it went well; says whether it was well until now.
    fn note(&self, well: bool) -> bool {
        let mut failing = locked(&self.failing);
        let was_well = failing.is_none();
        *failing = if well { None } else { failing.or_else(|| Some((self.clock)())) };
        was_well
    }

    fn is_backup_under_way(&self) -> bool {
        let is_one = |job: &Job| job.kind == JobKind::Backup && !job.state.is_over();
        self.jobs.latest(usize::MAX).iter().any(is_one)
    }

    /// Makes a backup and waits for it; says whether it was made.
    async fn back_up(&self, looked: &Looked) -> bool {
        let request = BackupRequest {
            created_by: Some(WATCH.into()),
            reading: looked.reading(),
            automatic: true,
            ..BackupRequest::default()
        };
        let ended = match order(&self.jobs, Work::Backup(request)) {
            Ok(job) => self.jobs.ended(job.job_id).await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(job) if job.state == JobState::Succeeded => {
                self.retention.begin(&job).await;
                true
            }
            _ => false,
        }
    }
}
