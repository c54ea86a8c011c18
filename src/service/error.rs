//! Why the service could not do what it was asked, beyond what the engine has to say.

use std::path::PathBuf;

use crate::service::access::TokenError;
use crate::service::jobs::{Job, JobId};

/// What can go wrong around the use cases.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A file of the state folder could not be read or written.
    #[error("cannot use {}", path.display())]
    State {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Another process keeps its state there.
    #[error("another service uses the state folder {}", .0.display())]
    StateInUse(PathBuf),
    /// The tokens cannot be used.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// The text is no job id.
    #[error("invalid job id {0:?}")]
    MalformedJobId(String),
    /// No job has this id, or it is forgotten.
    #[error("there is no job {0}; only the latest jobs are remembered")]
    NoSuchJob(JobId),
    /// A job that bars the new one.
    #[error("{} is under way (job {})", .0.title(), .0.job_id)]
    Busy(Box<Job>),
    /// Enough jobs wait already.
    #[error("{0} jobs wait already; try again when some are done")]
    TooManyJobs(usize),
    /// Enough jobs of the same caller wait already.
    #[error("{0} jobs of yours wait already; try again when some are done")]
    TooManyJobsOfOneCaller(usize),
    /// The job cannot be ended.
    #[error("job {id} cannot be cancelled: {why}")]
    NotCancellable {
        id: JobId,
        /// Why not.
        why: &'static str,
    },
    /// The service is about to end.
    #[error("the service is shutting down and takes no new work")]
    ShuttingDown,
}
