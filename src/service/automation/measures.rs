//! What is measured: the store, its disk, and what Prometheus is told of them.

use crate::engine::EngineError;
use crate::service::ServiceError;
use crate::service::automation::health::STORE_PATIENCE;
use crate::service::automation::{Upkeep, seconds};
use crate::service::observe::disk::DiskSpace;
use crate::service::observe::sizes::{Size, full_in_days};

impl Upkeep {
    /// The text that Prometheus reads, as of now.
    pub async fn metrics_text(&self) -> String {
        let (queued, running) = self.0.jobs.counts();
        self.metrics().job_counts(queued, running);
        if let Some(disk) = self.disk() {
            self.metrics().disk(&disk);
        }
        // Others than those of the store are told even if it does not answer.
        let overview = tokio::time::timeout(STORE_PATIENCE, self.overview()).await;
        if let Ok(Ok(overview)) = overview {
            let oldest = overview.oldest_proof().unwrap_or_else(|| self.now());
            self.metrics().proofs(seconds(oldest), overview.damaged);
            let made = overview.newest_good.as_ref().map(|(_, made)| (*made).min(self.now()));
            self.metrics().newest_backup(made.map_or(0.0, seconds));
        }
        self.metrics().text()
    }

    /// The sizes that the store had.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn sizes(&self) -> Result<Vec<Size>, ServiceError> {
        let upkeep = self.clone();
        let read = tokio::task::spawn_blocking(move || upkeep.0.sizes.all()).await;
        read.expect("reading does not panic")
            .map_err(|source| ServiceError::State { path: self.0.state.path().to_owned(), source })
    }

    /// The disk that the store is on, if it is a folder.
    #[must_use]
    pub fn disk(&self) -> Option<DiskSpace> {
        DiskSpace::of_store(self.0.engine.store())
    }

    /// In how many days the disk will be full, if that can be told.
    pub async fn full_in_days(&self) -> Option<u64> {
        full_in_days(&self.sizes().await.ok()?, self.disk()?.available_bytes)
    }

    /// Notes how large the store is.
    pub(in crate::service) async fn measure(&self) {
        let measured = async {
            let list = self.0.engine.list().await?;
            let totals = self.0.engine.store().totals().await?;
            Ok::<_, EngineError>(Size {
                at: self.now(),
                backups: list.backups.len(),
                stored_bytes: totals.stored_bytes,
                logical_bytes: list.backups.iter().map(|backup| backup.info.size).sum(),
            })
        };
        let size = match measured.await {
            Ok(size) => size,
            Err(error) => return tracing::warn!("could not measure the store: {error}"),
        };
        self.metrics().size(&size);
        let upkeep = self.clone();
        let added = tokio::task::spawn_blocking(move || upkeep.0.sizes.add(size)).await;
        if let Err(error) = added.expect("writing does not panic") {
            tracing::warn!("could not record the size of the store: {error}");
        }
    }
}
