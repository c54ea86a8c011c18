//! The last look before a backup is published: is everything that it counts on still there?

use std::collections::BTreeSet;

use super::load::Listing;
use super::{Store, StoreError, layout};
use crate::model::PackId;

/// What a writer did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Chunks that were not there before.
    pub new_chunks: u64,
    /// Their bytes.
    pub new_raw_bytes: u64,
    /// Bytes of the packs that hold them.
    pub stored_bytes: u64,
    /// These packs.
    pub packs: Vec<PackId>,
    /// Packs that were there and hold chunks which were not written again.
    pub relied: BTreeSet<PackId>,
}

impl Written {
    /// What two writers did.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.new_chunks += more.new_chunks;
        self.new_raw_bytes += more.new_raw_bytes;
        self.stored_bytes += more.stored_bytes;
        self.packs.extend(more.packs);
        self.relied.extend(more.relied);
        self
    }
}

impl Store {
    /// Checks that every pack which a new backup relies on is still there, and that no sweep has
    /// marked it to go. The locks keep a sweep away from a backup; this is for one that did not
    /// honour them, or whose lease ran out. A marked pack lives for the time of grace, and is kept
    /// if the backup is published by then.
    ///
    /// # Errors
    /// [`StoreError::SweptMeanwhile`]: the backup must be made again.
    pub async fn confirm(&self, written: &Written) -> Result<(), StoreError> {
        let now = Listing::read(self.objects()).await?;
        let gone =
            |pack: &&PackId| !now.packs.contains_key(pack) || now.doomed.packs.contains_key(pack);
        if let Some(pack) = written.packs.iter().chain(&written.relied).find(gone) {
            return Err(StoreError::SweptMeanwhile(*pack));
        }
        // Who wrote the packs that were there may have been killed before their names were durable.
        let folders: BTreeSet<_> = written.relied.iter().map(layout::pack_folder).collect();
        let all = (!folders.is_empty()).then(|| [layout::PACKS.to_owned(), String::new()]);
        self.objects().settle(folders.into_iter().chain(all.into_iter().flatten())).await
    }
}
