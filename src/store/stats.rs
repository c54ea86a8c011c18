//! The store in numbers.

use crate::store::{Store, StoreError};

/// How much a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub packs: u64,
    /// Bytes of their files.
    pub stored_bytes: u64,
    /// Different chunks that can be read.
    pub chunks: u64,
    /// Their bytes.
    pub raw_bytes: u64,
}

impl Store {
    /// How much there is, needed or not.
    ///
    /// # Errors
    /// If the index cannot be put together.
    pub async fn totals(&self) -> Result<Totals, StoreError> {
        let index = self.index().await?;
        Ok(Totals {
            packs: index.packs().len() as u64,
            stored_bytes: index.packs().iter().map(|pack| pack.size).sum(),
            chunks: index.chunks().count() as u64,
            raw_bytes: index.chunks().map(|(_, spot)| u64::from(spot.raw_len)).sum(),
        })
    }
}
