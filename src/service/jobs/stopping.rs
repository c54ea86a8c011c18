//! Ending jobs before their time: because somebody wants it, or because the service ends.

use std::sync::Weak;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::service::ServiceError;
use crate::service::access::ACCESS_LOOK;
use crate::service::access::Identity;
use crate::service::jobs::failure::{Failure, access_lost, cancelled, cut_off};
use crate::service::jobs::job::{Job, JobId, JobState};
use crate::service::jobs::table::{Ended, Stop};
use crate::service::jobs::{Inner, Jobs};

impl Jobs {
    /// Ends a job that waits or runs. When this returns, nothing of it is left in the database.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchJob`]; [`ServiceError::NotCancellable`] if it is over, or past the point
    /// of no return.
    pub async fn cancel(&self, id: JobId) -> Result<Job, ServiceError> {
        let kind = self.find(id)?.kind;
        let why = if kind.can_be_ended() {
            "its changes are being committed"
        } else {
            "backups may be gone already"
        };
        if self.end(id, JobState::Cancelled).await? {
            self.find(id)
        } else {
            Err(ServiceError::NotCancellable { id, why })
        }
    }

    /// Ends a job in this state; says whether it could be ended.
    async fn end(&self, id: JobId, state: JobState) -> Result<bool, ServiceError> {
        let stop = {
            let mut table = self.table();
            let stop = table.stopper(id)?;
            if stop.is_none() {
                table.end(id, Ended::Badly(state, failure_in(state)));
            }
            stop
        };
        let Some(stop) = stop else {
            self.begin_what_may();
            self.changed();
            return Ok(true);
        };
        let (answer, told) = oneshot::channel();
        let over = || ServiceError::NotCancellable { id, why: "it is over" };
        stop.send(Stop { state, answer }).await.map_err(|_| over())?;
        told.await.map_err(|_| over())
    }

    /// See [`Service::shut_down`](crate::service::Service::shut_down).
    pub async fn shut_down(&self, grace: Duration) {
        self.table().close();
        self.0.tasks.close();
        let waiting = self.latest(usize::MAX).into_iter().filter(|j| j.state == JobState::Queued);
        for job in waiting {
            // One that began just now is among the running ones.
            let _ = self.end_waiting(job.job_id);
        }
        self.0.to_save.notify_one();
        if tokio::time::timeout(grace, self.0.tasks.wait()).await.is_err() {
            let unfinished = self.table().unfinished();
            for id in unfinished {
                // One that is over by now needs no ending, and one that commits is waited for.
                let _ = self.end(id, JobState::Interrupted).await;
            }
            self.0.tasks.wait().await;
        }
        // Those who follow see that nothing more will come.
        self.told();
    }

    fn end_waiting(&self, id: JobId) -> Result<(), ServiceError> {
        let mut table = self.table();
        if table.stopper(id)?.is_none() {
            let state = JobState::Interrupted;
            table.end(id, Ended::Badly(state, failure_in(state)));
        }
        drop(table);
        self.told();
        Ok(())
    }
}

/// Ends a job that waits once its caller would not be let in any more; one that runs goes on, as its
/// caller's access was good when it began.
pub async fn end_without_access(jobs: Weak<Inner>, id: JobId, caller: Identity) {
    loop {
        tokio::time::sleep(ACCESS_LOOK).await;
        let Some(jobs) = jobs.upgrade().map(Jobs) else { return };
        if !jobs.find(id).is_ok_and(|job| job.state == JobState::Queued) {
            return;
        }
        if !jobs.still_knows(&caller) {
            let mut table = jobs.table();
            if table.stopper(id).is_ok_and(|stop| stop.is_none()) {
                table.end(id, Ended::Badly(JobState::Cancelled, access_lost()));
            }
            drop(table);
            jobs.begin_what_may();
            jobs.changed();
            return;
        }
    }
}

/// Why a job that was ended in this state has no result.
pub fn failure_in(state: JobState) -> Failure {
    if state == JobState::Cancelled { cancelled() } else { cut_off() }
}
