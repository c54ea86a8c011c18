//! The last look before a backup is published: is everything that it counts on still there?

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::model::{BackupId, Manifest, PackId, State};
use crate::store::index::load::Listing;
use crate::store::{Held, Store, StoreError, layout};

/// Attempts to send a manifest again, each after a look whether it is there.
const TRIES: usize = 2;

/// Result of a writer.
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
    /// Adds the result of another writer.
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
    /// honour them, or whose lease ran out. What a backup needs of a pack that is marked later is
    /// copied into another if the backup is published within the time of grace.
    ///
    /// # Errors
    /// [`StoreError::SweptMeanwhile`]: the backup must be made again.
    pub async fn confirm(&self, written: &Written) -> Result<(), StoreError> {
        let now = Listing::read(self.objects()).await?;
        let gone =
            |pack: &&PackId| !now.packs.contains_key(pack) || now.marked.packs.contains_key(pack);
        if let Some(pack) = written.packs.iter().chain(&written.relied).find(gone) {
            return Err(StoreError::SweptMeanwhile(*pack));
        }
        // Who wrote the packs that were there may have been killed before their names were durable.
        let folders: BTreeSet<_> = written.relied.iter().map(layout::pack_folder).collect();
        let all = (!folders.is_empty()).then(|| [layout::PACKS.to_owned(), String::new()]);
        self.objects().settle(folders.into_iter().chain(all.into_iter().flatten())).await
    }

    /// [Publishes](Self::publish) a backup that was [confirmed](Self::confirm), if `held`, the shared
    /// [`crate::store::Lock::Objects`], is still held directly before.
    ///
    /// # Errors
    /// As [`Self::publish`]; [`StoreError::LeaseLost`] and [`StoreError::SweptMeanwhile`]: then there is
    /// no such backup.
    pub async fn publish_held(
        &self,
        held: &Held,
        written: &Written,
        manifest: &Manifest,
        state: &State,
    ) -> Result<(), StoreError> {
        held.check().await?;
        self.publish(manifest, state).await?;
        if held.check().await.is_ok() {
            return Ok(());
        }
        // The request took longer than the lock was held. Whatever was removed meanwhile was marked.
        match self.confirm(written).await {
            Err(swept @ StoreError::SweptMeanwhile(_)) => {
                self.unlink(&manifest.backup_id).await?;
                Err(swept)
            }
            _ => Ok(()),
        }
    }

    /// Finds out what became of a manifest whose creation failed: the request may have taken effect
    /// although its answer was lost. Sends it again if the manifest is not there.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub(in crate::store) async fn publish_again(
        &self,
        id: &BackupId,
        text: &Bytes,
        mut error: StoreError,
    ) -> Result<(), StoreError> {
        if self.has_late_requests() {
            let path = layout::manifest(id);
            for attempt in 0..=TRIES {
                match self.objects().find(&path).await {
                    Ok(Some(there)) if there == *text => return Ok(()),
                    Ok(Some(_)) => return Err(StoreError::IdTaken(id.clone())),
                    Ok(None) | Err(_) if attempt == TRIES => break,
                    Ok(None) | Err(_) => {}
                }
                match self.objects().create(&path, text.clone()).await {
                    Ok(()) => return Ok(()),
                    Err(again) => error = again,
                }
            }
            if error.may_have_worked() {
                return Err(StoreError::PublishUnknown { id: id.clone(), source: Box::new(error) });
            }
        }
        Err(error)
    }
}
