//! One job under way: the use case, its progress, and its end.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};
use tracing::Instrument;

use crate::engine::{EngineError, Run};
use crate::service::jobs::failure::{Failure, access_lost, broken};
use crate::service::jobs::job::{JobId, JobState};
use crate::service::jobs::stopping::failure_in;
use crate::service::jobs::table::Stop;
use crate::service::jobs::table::{Begun, Ended};
use crate::service::jobs::throughput::Throughput;
use crate::service::jobs::{JobResult, Jobs};

/// How often the progress is told.
const TICK: Duration = Duration::from_millis(250);

/// How the work ended: with a result, with a panic, for want of progress, or because somebody wanted it to.
enum End {
    Succeeded(Box<JobResult>),
    Failed(Box<EngineError>),
    Panicked,
    Stalled(Box<EngineError>),
    Stopped(JobState, oneshot::Sender<bool>),
}

/// Runs a job to its end.
pub async fn carry_out(jobs: Jobs, begun: Begun) {
    let job = &begun.job;
    let request_id = job.request_id.as_deref().unwrap_or("-");
    let span = tracing::info_span!("job", job_id = %job.job_id, %request_id, what = job.title());
    async move {
        tracing::info!("begun");
        let id = begun.job.job_id;
        // On the heap: the future is large.
        let (ended, told) = Box::pin(run(&jobs, begun)).await;
        jobs.table().end(id, ended);
        jobs.begin_what_may();
        jobs.changed();
        // Who asked for the end is told once all can see it.
        if let Some(told) = told {
            let _ = told.send(true);
        }
    }
    .instrument(span)
    .await;
}

async fn run(jobs: &Jobs, begun: Begun) -> (Ended, Option<oneshot::Sender<bool>>) {
    if begun.caller.as_ref().is_some_and(|caller| !jobs.still_knows(caller)) {
        return (Ended::Badly(JobState::Cancelled, access_lost()), None);
    }
    let run = Run::new();
    match Box::pin(follow(jobs, begun, &run)).await {
        End::Succeeded(result) => {
            tracing::info!("succeeded");
            let told = match jobs.0.engine.store().folder() {
                Some(folder) => result.without_folder(&folder.to_string_lossy()),
                None => *result,
            };
            (Ended::Well(Box::new(told)), None)
        }
        End::Failed(error) => {
            tracing::warn!("failed: {}", error.chain().join(": "));
            (Ended::Badly(JobState::Failed, Failure::from(&*error)), None)
        }
        End::Stalled(error) => {
            tracing::warn!("given up: {error}");
            end_sessions(&run).await;
            (Ended::Badly(JobState::Failed, Failure::from(&*error)), None)
        }
        End::Panicked => {
            end_sessions(&run).await;
            (Ended::Badly(JobState::Failed, broken()), None)
        }
        End::Stopped(state, told) => {
            end_sessions(&run).await;
            tracing::info!("ended before its time");
            (Ended::Badly(state, failure_in(state)), Some(told))
        }
    }
}

/// Waits for the work's end, tells its progress meanwhile, and drops it if it is to end.
async fn follow(jobs: &Jobs, begun: Begun, run: &Run) -> End {
    let Begun { job, work, mut stops, .. } = begun;
    let work = AssertUnwindSafe(work.run(&jobs.0.engine, run)).catch_unwind();
    let mut work = std::pin::pin!(work);
    let mut stalled = std::pin::pin!(run.stalled(jobs.0.stall_timeout));
    let mut throughput = Throughput::new();
    let mut progress = run.watch();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            done = &mut work => {
                let now = *progress.borrow();
                note(jobs, job.job_id, &throughput.read(&now), false);
                return match done {
                    Ok(Ok(result)) => End::Succeeded(Box::new(result)),
                    Ok(Err(error)) => End::Failed(Box::new(error)),
                    Err(_) => End::Panicked,
                };
            }
            error = &mut stalled => return End::Stalled(Box::new(error)),
            Some(Stop { state, answer }) = stops.recv() => {
                // The work is not polled meanwhile, so this stays true until it is dropped.
                if !run.is_committing() && may_end(job.kind.can_be_ended(), state) {
                    return End::Stopped(state, answer);
                }
                let _ = answer.send(false);
            }
            _ = tick.tick() => {
                if progress.has_changed().unwrap_or(false) {
                    let now = *progress.borrow_and_update();
                    let cancellable = job.kind.can_be_ended() && !run.is_committing();
                    note(jobs, job.job_id, &throughput.read(&now), cancellable);
                }
            }
        }
    }
}

/// The end of the service ends also what nobody may cancel; it is safe to do so, it would only be
/// wrong to say that nothing has happened.
fn may_end(can_be_ended: bool, state: JobState) -> bool {
    can_be_ended || state == JobState::Interrupted
}

fn note(jobs: &Jobs, id: JobId, progress: &crate::service::jobs::JobProgress, cancellable: bool) {
    jobs.table().progress(id, *progress, cancellable);
    jobs.told();
}

async fn end_sessions(run: &Run) {
    if let Err(error) = run.end_sessions().await {
        tracing::warn!("could not terminate the database sessions: {error}");
    }
}
