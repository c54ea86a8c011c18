//! The loop of the verification round: one backup at a time, oldest proof first, and never in the
//! way of what changes something.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::engine::Clock;
use crate::model::Age;
use crate::service::automation::orders::{GLANCE, order, wait};
use crate::service::jobs::{Job, JobKind, JobState, Jobs, Work};
use crate::service::observe::overview::Overview;
use crate::service::observe::overviews::Overviews;
use crate::service::schedule::Round;
use crate::threads::locked;

/// The shortest pause between two portions.
const PAUSE: Duration = Duration::from_millis(200);

/// The verification round, as it stands.
#[derive(Debug, Clone, Serialize)]
pub struct VerificationStatus {
    /// Within so many days every backup is proven again.
    pub period_days: f64,
    /// When the next backup has its turn.
    pub next_at: Option<DateTime<Utc>>,
    /// Since when the backup with the oldest proof is unproven.
    pub oldest_proven_at: Option<DateTime<Utc>>,
}

/// Proves every backup again within a period.
pub struct Verification {
    within: Age,
    round: Mutex<Round>,
    jobs: Jobs,
    overviews: Overviews,
    clock: Clock,
    /// Held by whoever proves: one at a time.
    proving: tokio::sync::Mutex<()>,
}

impl Verification {
    /// A round through all backups within this time.
    #[must_use]
    pub fn within(within: Age, jobs: Jobs, overviews: Overviews, clock: Clock) -> Self {
        let round = Mutex::new(Round::within(within.duration()));
        Self { within, round, jobs, overviews, clock, proving: tokio::sync::Mutex::default() }
    }

    /// Proves whenever it is time, until nothing more is to be begun.
    pub async fn keep_proving(&self, resting: &CancellationToken) {
        loop {
            let begun = Instant::now();
            // At most half of the time goes into this.
            let pause = if self.prove_if_due().await { begun.elapsed().max(PAUSE) } else { GLANCE };
            if !wait(pause, resting).await {
                return;
            }
        }
    }

    /// Returns whether each backup of this overview is proven in time.
    #[must_use]
    pub fn is_in_time(&self, overview: &Overview) -> bool {
        locked(&self.round).holds(&overview.proofs, (self.clock)())
    }

    /// The round as it stands.
    pub async fn status(&self) -> VerificationStatus {
        let period_days = self.within.duration().as_seconds_f64() / 86_400.0;
        let Ok(overview) = self.overviews.look().await else {
            return VerificationStatus { period_days, next_at: None, oldest_proven_at: None };
        };
        let next = locked(&self.round).next(&overview.proofs);
        let next_at = next.map(|(_, at)| at.max((self.clock)()));
        VerificationStatus { period_days, next_at, oldest_proven_at: overview.oldest_proof() }
    }

    /// Verifies the backup whose turn it is, if it is due and nothing else is under way; says
    /// whether it did.
    pub async fn prove_if_due(&self) -> bool {
        let _alone = self.proving.lock().await;
        let Ok(overview) = self.overviews.look().await else {
            return false;
        };
        let now = (self.clock)();
        let next = {
            let mut round = locked(&self.round);
            round.forget_all_but(&overview.proofs);
            round.next(&overview.proofs)
        };
        let Some((id, _)) = next.filter(|(_, at)| *at <= now) else {
            return false;
        };
        if self.jobs.latest(usize::MAX).iter().any(is_a_writer_about) {
            return false;
        }
        let Ok(job) = order(&self.jobs, Work::Verify(vec![id.clone()])) else {
            return false;
        };
        let state = self.give_way(&job).await;
        if !matches!(state, Some(JobState::Cancelled | JobState::Interrupted)) {
            locked(&self.round).tried(&id, now);
        }
        self.overviews.forget().await;
        state == Some(JobState::Succeeded)
    }

    /// Waits for the end of this verification, and ends it if something has to wait for it.
    async fn give_way(&self, job: &Job) -> Option<JobState> {
        let mut changes = self.jobs.follow();
        loop {
            let state = self.jobs.find(job.job_id).ok()?.state;
            if state.is_over() {
                return Some(state);
            }
            let waits = |other: &Job| other.state == JobState::Queued && removes(other.kind);
            if self.jobs.latest(usize::MAX).iter().any(waits) {
                // One that is over by now needs no ending.
                let _ = self.jobs.cancel(job.job_id).await;
            }
            changes.changed().await.ok()?;
        }
    }
}

/// What has to wait for a verification.
fn removes(kind: JobKind) -> bool {
    matches!(kind, JobKind::Cleanup | JobKind::Delete)
}

fn is_a_writer_about(job: &Job) -> bool {
    let writes = removes(job.kind)
        || matches!(job.kind, JobKind::Backup | JobKind::Restore | JobKind::Import);
    writes && !job.state.is_over()
}
