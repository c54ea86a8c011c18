//! What lives as long as the process: the engine, the jobs, and the folder that keeps what must
//! outlast it. Knows no HTTP; `api` and the schedule are its faces.

mod disk;
mod error;
mod files;
pub mod jobs;
mod role;
mod state;

use std::sync::Arc;
use std::time::Duration;

pub use disk::DiskSpace;
pub use error::ServiceError;
pub use role::Role;
pub use state::StateFolder;

use crate::engine::Engine;
use jobs::Jobs;

/// The service. Cloning is cheap, and clones are one and the same.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    engine: Engine,
    state: StateFolder,
    jobs: Jobs,
}

impl Service {
    /// The service over this engine, with what its state folder tells of earlier lives.
    ///
    /// # Errors
    /// If the state folder cannot be read.
    pub async fn start(engine: Engine, state: StateFolder) -> Result<Self, ServiceError> {
        let jobs = Jobs::start(engine.clone(), state.clone()).await?;
        Ok(Self(Arc::new(Inner { engine, state, jobs })))
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

    /// The disk that the store is on; none where the store is no folder, or nobody can tell.
    #[must_use]
    pub fn disk(&self) -> Option<DiskSpace> {
        DiskSpace::of(self.engine().store().folder()?).ok()
    }

    /// Takes no new job, gives those that run so long to finish, ends the others cleanly, and
    /// returns when all is written down.
    pub async fn shut_down(&self, grace: Duration) {
        self.0.jobs.shut_down(grace).await;
    }
}
