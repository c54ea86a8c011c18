//! The loop of the verification round: one backup at a time, oldest proof first, and never in the
//! way of what changes something.

use std::time::{Duration, Instant};

use crate::service::automation::{GLANCE, Upkeep};
use crate::service::jobs::{Job, JobKind, JobState, Work};
use crate::threads::locked;

/// The shortest pause between two portions.
const PAUSE: Duration = Duration::from_millis(200);

impl Upkeep {
    pub(in crate::service) async fn keep_proving(self) {
        loop {
            let begun = Instant::now();
            // At most half of the time goes into this.
            let pause = if self.prove_if_due().await { begun.elapsed().max(PAUSE) } else { GLANCE };
            if !self.doze(pause).await {
                return;
            }
        }
    }

    /// Verifies the backup whose turn it is, if it is due and nothing else is under way; says
    /// whether it did.
    pub async fn prove_if_due(&self) -> bool {
        let _alone = self.0.proving.lock().await;
        let Ok(overview) = self.overview().await else {
            return false;
        };
        let now = self.now();
        let next = {
            let mut round = locked(&self.0.round);
            let Some(round) = &mut *round else { return false };
            round.forget_all_but(&overview.proofs);
            round.next(&overview.proofs)
        };
        let Some((id, _)) = next.filter(|(_, at)| *at <= now) else {
            return false;
        };
        if self.0.jobs.latest(usize::MAX).iter().any(is_a_writer_about) {
            return false;
        }
        let Ok(job) = self.order(Work::Verify(vec![id.clone()])) else {
            return false;
        };
        let state = self.give_way(&job).await;
        if !matches!(state, Some(JobState::Cancelled | JobState::Interrupted)) {
            let mut round = locked(&self.0.round);
            round.iter_mut().for_each(|round| round.tried(&id, now));
        }
        self.0.overview.forget().await;
        state == Some(JobState::Succeeded)
    }

    /// Waits for the end of this verification, and ends it if something has to wait for it.
    async fn give_way(&self, job: &Job) -> Option<JobState> {
        let jobs = &self.0.jobs;
        let mut changes = jobs.follow();
        loop {
            let state = jobs.find(job.job_id).ok()?.state;
            if state.is_over() {
                return Some(state);
            }
            let waits = |other: &Job| other.state == JobState::Queued && removes(other.kind);
            if jobs.latest(usize::MAX).iter().any(waits) {
                // One that is over by now needs no ending.
                let _ = jobs.cancel(job.job_id).await;
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
