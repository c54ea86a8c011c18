//! How the service orders and waits by itself.

use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::service::ServiceError;
use crate::service::jobs::{Job, JobKind, JobState, Jobs, Order, Trigger, Work};

/// The name under which the service does what was scheduled.
pub const SCHEDULE: &str = "schedule";

/// The name under which the service makes a backup since something has changed.
pub const WATCH: &str = "watch";

/// What is this late does not come by itself.
pub const LATE: TimeDelta = TimeDelta::minutes(10);

/// The clock is looked at this often, since a machine may sleep and a clock may be set.
pub const GLANCE: Duration = Duration::from_secs(10);

/// Has something done that was scheduled.
pub fn order(jobs: &Jobs, work: Work) -> Result<Job, ServiceError> {
    let created_by = SCHEDULE.to_owned();
    let trigger = Trigger::Schedule;
    jobs.submit(Order { work, created_by, caller: None, trigger, request_id: None })
}

/// Returns whether a job of this kind that was scheduled waits for its turn: then another would do the same.
pub fn waits(jobs: &Jobs, kind: JobKind) -> bool {
    let waits = |job: &Job| {
        job.kind == kind && job.state == JobState::Queued && job.trigger == Trigger::Schedule
    };
    jobs.latest(usize::MAX).iter().any(waits)
}

/// Waits until it may be time for something; false if nothing more is to be begun.
pub async fn wait(long: Duration, resting: &CancellationToken) -> bool {
    tokio::select! {
        () = tokio::time::sleep(long) => true,
        () = resting.cancelled() => false,
    }
}
