//! Trials of the database and the store.

use crate::engine::{Engine, EngineError};
use crate::postgres::Session;

impl Engine {
    /// Connects to the database and leaves again.
    ///
    /// # Errors
    /// If none was named, or it is out of reach or does not let us in.
    pub async fn reach_database(&self) -> Result<(), EngineError> {
        Ok(Session::connect(self.database()?).await?.close().await?)
    }

    /// Makes sure that the store can be written.
    ///
    /// # Errors
    /// If it cannot.
    pub async fn try_writing(&self) -> Result<(), EngineError> {
        Ok(self.store.try_writing().await?)
    }
}
