//! The size of the store over time, and the room on its disk.

use std::io;
use std::sync::Arc;

use crate::engine::{Clock, Engine, EngineError};
use crate::service::observe::disk::DiskSpace;
use crate::service::observe::metrics::Metrics;
use crate::service::observe::sizes::{Size, SizeHistory, full_in_days};
use crate::service::{ServiceError, StateFolder};

/// Measures the store. Cloning is cheap.
#[derive(Clone)]
pub struct Measures {
    engine: Engine,
    history: Arc<SizeHistory>,
    metrics: Arc<Metrics>,
    clock: Clock,
}

impl Measures {
    /// Measures this engine's store; its history is kept in the state folder.
    ///
    /// # Errors
    /// If the history cannot be read or written.
    pub fn new(
        engine: Engine,
        state: &StateFolder,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> io::Result<Self> {
        let history = Arc::new(SizeHistory::in_folder(state.path(), clock())?);
        Ok(Self { engine, history, metrics, clock })
    }

    /// The sizes that the store had.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn sizes(&self) -> Result<Vec<Size>, ServiceError> {
        let history = self.history.clone();
        let read = tokio::task::spawn_blocking(move || history.all()).await;
        read.expect("reading does not panic")
            .map_err(|source| ServiceError::State { path: self.history.path().to_owned(), source })
    }

    /// The disk that the store is on, if it is a folder.
    #[must_use]
    pub fn disk(&self) -> Option<DiskSpace> {
        DiskSpace::of_store(self.engine.store())
    }

    /// Whether the store is on a disk of this machine.
    #[must_use]
    pub fn has_disk(&self) -> bool {
        self.engine.store().folder().is_some()
    }

    /// The number of days until the disk is full, if that can be told.
    pub async fn full_in_days(&self) -> Option<u64> {
        full_in_days(&self.sizes().await.ok()?, self.disk()?.available_bytes)
    }

    /// Notes how large the store is now.
    pub async fn measure(&self) {
        let size = match self.size().await {
            Ok(size) => size,
            Err(error) => return tracing::warn!("could not measure the store: {error}"),
        };
        self.metrics.size(&size);
        let history = self.history.clone();
        let added = tokio::task::spawn_blocking(move || history.add(size)).await;
        if let Err(error) = added.expect("writing does not panic") {
            tracing::warn!("could not record the size of the store: {error}");
        }
    }

    async fn size(&self) -> Result<Size, EngineError> {
        let list = self.engine.list().await?;
        let totals = self.engine.store().totals().await?;
        Ok(Size {
            at: (self.clock)(),
            backups: list.backups.len(),
            stored_bytes: totals.stored_bytes,
            logical_bytes: list.backups.iter().map(|backup| backup.info.size).sum(),
        })
    }
}
