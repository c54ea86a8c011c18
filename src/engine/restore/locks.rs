//! The store's locks of a restore.

use std::time::Duration;

use crate::engine::{Engine, EngineError};
use crate::store::{Held, Lock, Mode, StoreError};

/// How long a restore waits for a sweep to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a restore holds of the store.
#[derive(Debug, Default)]
pub struct RestoreLocks {
    alone: Option<Held>,
    objects: Option<Held>,
    /// What users must know if not everything could be locked.
    pub note: Option<String>,
}

impl Engine {
    /// Locks the store for a restore: no other restore, deletion or cleanup, and no sweep.
    ///
    /// A restore that writes nothing to the store goes on without locks where they cannot be taken, as in
    /// a store that may only be read. A sweep beside it is no danger for the database: a chunk that
    /// is gone ends the transaction.
    pub(in crate::engine) async fn lock_for_restore(
        &self,
        what: &str,
        writes: bool,
    ) -> Result<RestoreLocks, EngineError> {
        let alone = self.store.lock(Lock::Maintenance, Mode::Exclusive, what, Duration::ZERO);
        match alone.await {
            Ok(alone) => {
                let objects = self.store.lock(Lock::Objects, Mode::Shared, what, PATIENCE).await?;
                Ok(RestoreLocks { alone: Some(alone), objects: Some(objects), note: None })
            }
            Err(error @ StoreError::NotLockable { .. }) if !writes => {
                let why = EngineError::from(error).chain().join(": ");
                let note = Some(format!("{why}; the store was not locked meanwhile"));
                Ok(RestoreLocks { note, ..RestoreLocks::default() })
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl RestoreLocks {
    /// The lock that a safety backup is published under.
    ///
    /// # Panics
    /// If the restore was said to write nothing to the store.
    pub fn objects(&self) -> &Held {
        self.objects.as_ref().expect("a restore that writes to the store has locked it")
    }

    /// Makes sure that what was locked still is.
    ///
    /// # Errors
    /// If a lock was lost.
    pub async fn check(&self) -> Result<(), StoreError> {
        for held in self.alone.iter().chain(&self.objects) {
            held.check().await?;
        }
        Ok(())
    }

    /// Gives the locks back, the last one first.
    pub async fn release(self) {
        for held in self.objects.into_iter().chain(self.alone) {
            held.release().await;
        }
    }
}
