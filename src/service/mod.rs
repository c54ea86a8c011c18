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
mod places;
mod role;
pub mod schedule;
mod state;

use std::sync::Arc;
use std::time::Duration;

pub use audit::Audit;
pub use error::ServiceError;
pub use observe::disk::{Disk, DiskSpace, Statistics};
pub use observe::measures::Measures;
pub use observe::metrics::Metrics;
pub use observe::overviews::Overviews;
pub use places::Places;
pub use role::Role;
pub use state::StateFolder;

use crate::engine::{Clock, Engine};
use access::{Callers, Gate, Refusals, Tokens};
use automation::{Automation, Plan, Tools};
use jobs::{Jobs, StillKnown};

/// The parts of the service, put together. Whoever works with one takes that one: a signature names
/// what a function may touch. Cloning is cheap, and clones are one and the same.
#[derive(Clone)]
pub struct Service {
    /// Answers what is answered at once.
    pub engine: Engine,
    /// Does what takes its time.
    pub jobs: Jobs,
    /// Tells callers apart.
    pub callers: Callers,
    /// Limits what is written down of unknown callers.
    pub refusals: Refusals,
    /// Keeps what must outlast the process.
    pub state: StateFolder,
    /// Keeps folders out of what others are told.
    pub places: Places,
    pub audit: Audit,
    pub metrics: Arc<Metrics>,
    /// Sees the store as a whole.
    pub overviews: Overviews,
    /// Measures the store.
    pub measures: Measures,
    /// Works by itself.
    pub automation: Automation,
    pub clock: Clock,
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

    /// As [`Self::start`], with a plan of what it does by itself from [`Automation::keep_to_plan`] on.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(
        engine: Engine,
        state: StateFolder,
        plan: Plan,
    ) -> Result<Self, ServiceError> {
        let clock = plan.clock.clone();
        let engine = engine.keeping_comparisons();
        let callers = Callers::new(Gate::new(Tokens::in_folder(state.path()))?, clock.clone());
        let still_known: StillKnown = {
            let callers = callers.clone();
            Arc::new(move |caller| callers.still_known(caller))
        };
        let jobs = Jobs::start(engine.clone(), state.clone(), still_known, plan.stall_timeout);
        let jobs = jobs.await?;
        let metrics = Arc::new(Metrics::new());
        let audit = Audit::in_folder(state.path());
        let overviews = Overviews::new(engine.clone(), jobs.clone());
        let measures = Measures::new(engine.clone(), &state, metrics.clone(), clock.clone());
        let measures = measures
            .map_err(|source| ServiceError::State { path: state.path().to_owned(), source })?;
        let places = Places::new(&state, engine.store());
        let tools = Tools {
            engine: engine.clone(),
            jobs: jobs.clone(),
            state: state.clone(),
            metrics: metrics.clone(),
            audit: audit.clone(),
            overviews: overviews.clone(),
            measures: measures.clone(),
        };
        let automation = Automation::start(tools, plan).await?;
        let refusals = Refusals::default();
        Ok(Self {
            engine,
            jobs,
            callers,
            refusals,
            state,
            places,
            audit,
            metrics,
            overviews,
            measures,
            automation,
            clock,
        })
    }

    /// Takes no new job, gives those that run so long to finish, ends the others cleanly, and
    /// returns when all is written down.
    pub async fn shut_down(&self, grace: Duration) {
        self.automation.rest();
        self.jobs.shut_down(grace).await;
        self.automation.finish().await;
    }
}
