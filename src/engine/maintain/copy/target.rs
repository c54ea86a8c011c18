//! The store that is copied into: another one than that which is copied, and not inside it.

use std::time::Duration;

use crate::engine::{Engine, EngineError};
use crate::store::{Location, Relation, Store, StoreError, TransferError};

/// Time for which the start of a service waits for the other store.
const PATIENCE: Duration = Duration::from_secs(10);

impl Engine {
    /// Refuses a place that is this store, or lies inside it or around it. A store that cannot be reached
    /// now, or is not there yet, is refused by the copy itself if need be.
    ///
    /// # Errors
    /// [`EngineError::CopyOntoItself`], [`EngineError::CopyInside`]; if the place is malformed.
    pub async fn refuse_as_target(&self, to: &str) -> Result<(), EngineError> {
        let location: Location = to.parse()?;
        self.refuse_overlap(&location)?;
        match tokio::time::timeout(PATIENCE, self.is_this(&location)).await {
            Ok(Ok(true)) => Err(EngineError::CopyOntoItself),
            Ok(Ok(false)) => Ok(()),
            Ok(Err(error)) => {
                tracing::warn!("cannot look at the other store now: {}", error.chain().join(": "));
                Ok(())
            }
            Err(_) => {
                tracing::warn!("the other store, {location}, does not answer");
                Ok(())
            }
        }
    }

    async fn is_this(&self, location: &Location) -> Result<bool, EngineError> {
        let failed = |error| EngineError::of_transfer(error, &location.to_string());
        let there = match Store::open(location).await {
            Err(StoreError::NoStore(_)) => return Ok(false),
            there => there.map_err(TransferError::Target).map_err(failed)?,
        };
        self.store.is_same_as(&there).await.map_err(failed)
    }

    /// Opens the store that is copied into, after making it if it is not there.
    pub(super) async fn other_store(&self, to: &str) -> Result<Store, EngineError> {
        let location: Location = to.parse()?;
        self.refuse_overlap(&location)?;
        let place = location.to_string();
        let failed = |error| EngineError::of_transfer(error, &place);
        let to = Store::open_or_create(&location).await;
        let to = to.map_err(TransferError::Target).map_err(failed)?;
        if self.store.is_same_as(&to).await.map_err(failed)? {
            return Err(EngineError::CopyOntoItself);
        }
        Ok(to)
    }

    fn refuse_overlap(&self, to: &Location) -> Result<(), EngineError> {
        match self.store.location().map(|from| from.relation(to)) {
            Some(Relation::Same) => Err(EngineError::CopyOntoItself),
            Some(Relation::Nested) => Err(EngineError::CopyInside),
            Some(Relation::Apart) | None => Ok(()),
        }
    }
}
