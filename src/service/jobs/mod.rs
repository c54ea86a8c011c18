//! Long work outlives the call that asked for it: it is a job, with a queue before it, progress
//! while it runs, and a memory after it.
//!
//! An order goes one way: [`Jobs::submit`] → `rules` (refuse, queue or begin) → `task` (run, follow,
//! end) → `table` (what is known of each job, numbered by change) → `memory` (`jobs.json`). Whoever
//! follows a job reads the table: [`Jobs::changed_after`] gives every job that has changed since a
//! number, so a follower that lags or comes back misses no state that still holds.

mod failure;
mod job;
mod memory;
mod result;
mod rules;
mod stopping;
mod table;
mod task;
mod throughput;
mod work;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;

pub use failure::Failure;
pub use job::{Job, JobId, JobKind, JobProgress, JobState, Trigger};
pub use result::JobResult;
pub use work::{Order, Work};

use crate::engine::Engine;
use crate::service::access::Identity;
use crate::service::{ServiceError, StateFolder};
use crate::threads::locked;
use table::Table;

/// Tells whether a caller would still be let in.
pub type StillKnown = Arc<dyn Fn(&Identity) -> bool + Send + Sync>;

/// All jobs of the service. Cloning is cheap, and clones are one and the same.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    engine: Engine,
    state: StateFolder,
    still_known: StillKnown,
    /// How long a job goes on without any progress.
    stall_timeout: Duration,
    table: Mutex<Table>,
    /// The number of the latest change; who waits for a change waits for this.
    changes: watch::Sender<u64>,
    /// Told whenever `jobs.json` should be written anew.
    to_save: Arc<Notify>,
    /// The jobs that run, and who writes them down.
    tasks: TaskTracker,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Who saves is to see that there is nothing to save any more.
        self.to_save.notify_one();
    }
}

impl Jobs {
    /// The jobs that `jobs.json` remembers; those that were not over are interrupted now.
    ///
    /// # Errors
    /// If the state folder cannot be used.
    pub async fn start(
        engine: Engine,
        state: StateFolder,
        still_known: StillKnown,
        stall_timeout: Duration,
    ) -> Result<Self, ServiceError> {
        let table = Table::remembering(memory::load(&state)?);
        let changes = watch::Sender::new(table.latest());
        let jobs = Self(Arc::new(Inner {
            engine,
            state,
            still_known,
            stall_timeout,
            table: Mutex::new(table),
            changes,
            to_save: Arc::default(),
            tasks: TaskTracker::new(),
        }));
        memory::save(&jobs).await?;
        let saving = memory::keep_saving(jobs.0.to_save.clone(), Arc::downgrade(&jobs.0));
        jobs.0.tasks.spawn(saving);
        Ok(jobs)
    }

    /// Takes an order: begins it, or lets it wait.
    ///
    /// # Errors
    /// [`ServiceError::Busy`] if a job bars it, [`ServiceError::TooManyJobs`] if enough wait already,
    /// [`ServiceError::ShuttingDown`].
    pub fn submit(&self, order: Order) -> Result<Job, ServiceError> {
        let caller = order.caller.clone();
        let job = self.table().admit(order)?;
        tracing::info!(job_id = %job.job_id, "{} asked for by {}", job.title(), job.created_by);
        self.begin_what_may();
        self.changed();
        if let Some(caller) = caller {
            let jobs = Arc::downgrade(&self.0);
            tokio::spawn(stopping::end_without_access(jobs, job.job_id, caller));
        }
        self.find(job.job_id)
    }

    fn still_knows(&self, caller: &Identity) -> bool {
        (self.0.still_known)(caller)
    }

    /// The job with this id.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchJob`].
    pub fn find(&self, id: JobId) -> Result<Job, ServiceError> {
        self.table().find(id).cloned().ok_or(ServiceError::NoSuchJob(id))
    }

    /// The latest jobs without their results, newest first.
    #[must_use]
    pub fn latest(&self, limit: usize) -> Vec<Job> {
        self.table().newest_first().take(limit).map(Job::in_short).collect()
    }

    /// How many jobs wait, and how many are under way.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let table = self.table();
        let count = |state| table.newest_first().filter(|job| job.state == state).count() as u64;
        (count(JobState::Queued), count(JobState::Running))
    }

    /// Waits until the job is over.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchJob`].
    pub async fn ended(&self, id: JobId) -> Result<Job, ServiceError> {
        let mut changes = self.follow();
        loop {
            let job = self.find(id)?;
            if job.state.is_over() {
                return Ok(job);
            }
            if changes.changed().await.is_err() {
                return Err(ServiceError::ShuttingDown);
            }
        }
    }

    /// The number of the latest change, whenever there is a new one.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// The jobs that have changed since the change of that number, without their results, each with
    /// the number of its latest change; in the order of these. Zero is before all changes.
    #[must_use]
    pub fn changed_after(&self, number: u64) -> Vec<(u64, Job)> {
        self.table().changed_after(number)
    }

    /// How many jobs have ended since the start.
    #[must_use]
    pub fn ended_so_far(&self) -> u64 {
        self.table().ended()
    }

    /// What came before is not to be told again: the number of the latest change.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.table().latest()
    }

    /// Whether the service has shut down and no job will change any more.
    #[must_use]
    pub fn are_over(&self) -> bool {
        self.table().is_over()
    }

    /// Begins every waiting job that may begin now.
    fn begin_what_may(&self) {
        loop {
            let next = self.table().begin_next();
            let Some(begun) = next else { return };
            self.0.tasks.spawn(task::carry_out(self.clone(), begun));
        }
    }

    /// Tells those who follow, and has `jobs.json` written.
    fn changed(&self) {
        self.told();
        self.0.to_save.notify_one();
    }

    /// Tells those who follow.
    fn told(&self) {
        let latest = self.table().latest();
        self.0.changes.send_replace(latest);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        locked(&self.0.table)
    }
}
