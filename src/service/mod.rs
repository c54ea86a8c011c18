//! What lives as long as the process: the engine, the jobs, and the folder that keeps what must
//! outlast it. Knows no HTTP; `api` and the schedule are its faces.

pub mod access;
pub mod audit;
mod cached;
mod disk;
mod error;
mod files;
pub mod jobs;
mod metrics;
mod overview;
mod role;
pub mod schedule;
pub mod sizes;
mod state;
pub mod upkeep;
pub mod webhook;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

pub use audit::Audit;
pub use disk::{Disk, DiskSpace, Statistics};
pub use error::ServiceError;
pub use metrics::Metrics;
pub use role::Role;
pub use state::StateFolder;

use crate::engine::{Clock, Engine};
use access::{Gate, Identity, Throttle, Tokens};
use audit::Entry;
use jobs::{Jobs, StillKnown};
use upkeep::{Plan, Upkeep};

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
        let jobs = Jobs::start(engine.clone(), state.clone(), still_known).await?;
        let upkeep = Upkeep::start(engine.clone(), jobs.clone(), state.clone(), plan).await?;
        let refusals = Throttle::new(20, chrono::Duration::seconds(10));
        Ok(Self(Arc::new(Inner { engine, state, jobs, gate, upkeep, clock, refusals })))
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

    /// Returns once this caller would not be let in any more.
    pub async fn access_lost(&self, caller: &Identity) {
        loop {
            tokio::time::sleep(ACCESS_LOOK).await;
            if !self.gate().still_knows(caller, self.now()) {
                return;
            }
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

    /// The newest entries of the audit log, newest first.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn audit_entries(&self, limit: usize) -> Result<Vec<Entry>, ServiceError> {
        let read = self.audit().newest(limit).await;
        read.map_err(|source| ServiceError::State { path: self.0.state.path().to_owned(), source })
    }

    /// Whether one more refusal may be written down: a flood of them must not wash the log out.
    #[must_use]
    pub fn may_note_refusal(&self) -> bool {
        self.0.refusals.take(self.now()).is_ok()
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
