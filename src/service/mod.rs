//! What lives as long as the process: the engine, the jobs, and the folder that keeps what must
//! outlast it. Knows no HTTP; `api` and the schedule are its faces.

pub mod access;
pub mod audit;
pub mod automation;
mod error;
mod files;
pub mod jobs;
pub mod notify;
pub mod observe;
mod role;
pub mod schedule;
mod state;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};

pub use audit::Audit;
pub use error::ServiceError;
pub use observe::disk::{Disk, DiskSpace, Statistics};
pub use observe::metrics::Metrics;
pub use role::Role;
pub use state::StateFolder;

use crate::engine::{Clock, Engine};
use access::{Gate, Identity, Throttle, Tokens};
use automation::{Plan, Upkeep};
use jobs::{Jobs, StillKnown};

/// How often it is looked whether who was let in still would be.
const ACCESS_LOOK: Duration = Duration::from_millis(200);

/// The service. Cloning is cheap, and clones are one and the same.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    engine: Engine,
    state: StateFolder,
    jobs: Jobs,
    gate: Arc<Gate>,
    upkeep: Upkeep,
    clock: Clock,
    /// Refusals that may still be written down.
    refusals: Throttle,
    /// Refusals that were not written down since the last one that was.
    unnoted: AtomicU64,
}

impl Service {
    /// The service over this engine, with what its state folder tells of earlier lives. Does nothing
    /// by itself.
    ///
    /// # Errors
    /// If the state folder cannot be used.
    pub async fn start(engine: Engine, state: StateFolder) -> Result<Self, ServiceError> {
        Self::start_with(engine, state, Plan::default()).await
    }

    /// As [`Self::start`], with a plan of what it does by itself from [`Upkeep::keep_to_plan`] on.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(
        engine: Engine,
        state: StateFolder,
        plan: Plan,
    ) -> Result<Self, ServiceError> {
        let gate = Arc::new(Gate::new(Tokens::in_folder(state.path()))?);
        let clock = plan.clock.clone();
        let still_known: StillKnown = {
            let (gate, clock) = (gate.clone(), clock.clone());
            Arc::new(move |caller| gate.still_knows(caller, clock()))
        };
        let jobs = Jobs::start(engine.clone(), state.clone(), still_known, plan.stall_timeout);
        let jobs = jobs.await?;
        let upkeep = Upkeep::start(engine.clone(), jobs.clone(), state.clone(), plan).await?;
        let refusals = Throttle::new(20, chrono::Duration::seconds(10));
        let unnoted = AtomicU64::new(0);
        Ok(Self(Arc::new(Inner { engine, state, jobs, gate, upkeep, clock, refusals, unnoted })))
    }

    /// The engine, for what is answered at once.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// The state folder.
    #[must_use]
    pub fn state(&self) -> &StateFolder {
        &self.0.state
    }

    /// The jobs, for what takes its time.
    #[must_use]
    pub fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }

    /// What it does by itself, and what is known of that.
    #[must_use]
    pub fn upkeep(&self) -> &Upkeep {
        &self.0.upkeep
    }

    /// Who is let in.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.0.gate
    }

    /// Whether this caller would still be let in.
    #[must_use]
    pub fn still_knows(&self, caller: &Identity) -> bool {
        self.gate().still_knows(caller, self.now())
    }

    /// Returns once this caller would not be let in any more.
    pub async fn access_lost(&self, caller: &Identity) {
        loop {
            tokio::time::sleep(ACCESS_LOOK).await;
            if !self.still_knows(caller) {
                return;
            }
        }
    }

    /// A text for others, in which the folders of this host have no names.
    #[must_use]
    pub fn without_places(&self, text: &str) -> String {
        // The state folder is often in the store.
        let state = text.replace(&*self.0.state.path().to_string_lossy(), "(the state folder)");
        match self.0.engine.store().folder() {
            Some(folder) => state.replace(&*folder.to_string_lossy(), "(the store)"),
            None => state,
        }
    }

    /// What is counted and measured.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        self.0.upkeep.metrics()
    }

    /// The audit log.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        self.0.upkeep.audit()
    }

    /// Whether one more refusal of somebody unknown may be written down, as a flood of them costs
    /// writes; if so, how many were not since the last one.
    #[must_use]
    pub fn may_note_refusal(&self) -> Option<u64> {
        if self.0.refusals.take(self.now()).is_ok() {
            return Some(self.0.unnoted.swap(0, Ordering::Relaxed));
        }
        self.0.unnoted.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        (self.0.clock)()
    }

    /// Takes no new job, gives those that run so long to finish, ends the others cleanly, and
    /// returns when all is written down.
    pub async fn shut_down(&self, grace: Duration) {
        self.0.upkeep.rest();
        self.0.jobs.shut_down(grace).await;
        self.0.upkeep.finish().await;
    }
}
