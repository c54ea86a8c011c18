//! The latest overview of the store, for all who ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::engine::{BackupList, Engine, EngineError};
use crate::service::jobs::Jobs;
use crate::service::observe::cached::Cached;
use crate::service::observe::overview::Overview;

/// How long it may take until what other processes did to the store is seen.
pub const FRESH_FOR: Duration = Duration::from_mins(1);
/// The store must be listed, or written, within this time.
pub const STORE_PATIENCE: Duration = Duration::from_secs(5);

/// The reason why there is no overview.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unseen {
    #[error("it cannot be read")]
    Unreadable(#[source] Arc<EngineError>),
    #[error("it does not answer")]
    Silent,
    #[error("it is gone")]
    Gone,
}

/// Looks at the store at most once a minute, and after each job. Cloning is cheap.
#[derive(Clone)]
pub struct Overviews(Arc<Inner>);

struct Inner {
    engine: Engine,
    jobs: Jobs,
    /// How many jobs had ended at the last look.
    ended: AtomicU64,
    latest: Cached<Result<Arc<Overview>, Unseen>>,
}

impl Overviews {
    /// The overviews of this engine's store, which these jobs change.
    #[must_use]
    pub fn new(engine: Engine, jobs: Jobs) -> Self {
        let (ended, latest) = (AtomicU64::new(0), Cached::for_long(FRESH_FOR));
        Self(Arc::new(Inner { engine, jobs, ended, latest }))
    }

    /// The overview; what other processes did may be missing for a minute. Takes 5 s at most.
    ///
    /// # Errors
    /// If the store cannot be listed in time.
    pub async fn look(&self) -> Result<Arc<Overview>, Unseen> {
        let ended = self.0.jobs.ended_so_far();
        if self.0.ended.swap(ended, Ordering::AcqRel) != ended {
            self.forget().await;
        }
        let look = async {
            match tokio::time::timeout(STORE_PATIENCE, overview(&self.0.engine)).await {
                Ok(seen) => seen,
                Err(_) => Err(Unseen::Silent),
            }
        };
        let seen = self.0.latest.get(look).await;
        if seen.is_err() {
            self.forget().await;
        }
        seen
    }

    /// Takes what a listing tells that was made just now: whoever sees the list is told no older verdict.
    pub async fn learn(&self, list: &BackupList) {
        let overview = Overview::new(list);
        // An empty list may be that of a store that is gone.
        if !overview.proofs.is_empty() {
            self.0.latest.put(Ok(Arc::new(overview))).await;
        }
    }

    /// The store has changed.
    pub async fn forget(&self) {
        self.0.latest.forget().await;
    }
}

async fn overview(engine: &Engine) -> Result<Arc<Overview>, Unseen> {
    let unreadable = |error| Unseen::Unreadable(Arc::new(error));
    let overview = Overview::of(engine).await.map_err(unreadable)?;
    // A folder without a store lists like an empty one.
    let is_empty = overview.proofs.is_empty() && overview.damaged == 0;
    let is_there = async || engine.store().is_there().await.map_err(EngineError::from);
    if is_empty && !is_there().await.map_err(unreadable)? {
        return Err(Unseen::Gone);
    }
    Ok(Arc::new(overview))
}
