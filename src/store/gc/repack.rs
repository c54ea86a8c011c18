//! Rewrites packs of which most is waste: their living frames go, as they are, into new packs.

use std::collections::{BTreeMap, HashSet};

use crate::model::{ChunkId, PackId};
use crate::store::chunks::write::PACK_SIZE;
use crate::store::format::index_file;
use crate::store::format::index_file::PackEntries;
use crate::store::format::pack::{Pack, PackBuilder};
use crate::store::gc::sweep::Sweep;
use crate::store::index::location::ChunkLocation;
use crate::store::{StoreError, layout};

/// The living frames of one pack.
type Living = Vec<(ChunkId, ChunkLocation)>;

impl Sweep<'_> {
    /// Rewrites these packs. The new ones are durable and indexed before the old ones go. What
    /// cannot be done is reported; only a lost lock is an error.
    pub async fn rewrite(
        &mut self,
        wasteful: &[PackId],
        needed: &HashSet<ChunkId>,
    ) -> Result<(), StoreError> {
        for group in self.groups(wasteful, needed) {
            let packs: Vec<PackId> = group.iter().map(|(pack, _)| *pack).collect();
            let living: Living = group.into_iter().flat_map(|(_, living)| living).collect();
            match self.copy(living).await {
                Ok(bytes) => {
                    self.retire(&packs).await?;
                    self.swept.packs_rewritten += packs.len() as u64;
                    self.swept.bytes_freed = self.swept.bytes_freed.saturating_sub(bytes);
                }
                Err(error) => self.swept.report(Err(error)),
            }
        }
        Ok(())
    }

    /// Packs whose living frames make one new pack together.
    fn groups(&self, wasteful: &[PackId], needed: &HashSet<ChunkId>) -> Vec<Vec<(PackId, Living)>> {
        let wasteful: HashSet<_> = wasteful.iter().collect();
        let mut packs: BTreeMap<PackId, Living> = BTreeMap::new();
        for (id, spot) in self.index.chunks() {
            let pack = self.index.pack(&spot).id;
            if wasteful.contains(&pack) && needed.contains(id) {
                packs.entry(pack).or_default().push((*id, spot));
            }
        }
        let mut groups: Vec<Vec<(PackId, Living)>> = Vec::new();
        let mut room = 0;
        for (pack, mut living) in packs {
            living.sort_by_key(|(_, spot)| spot.offset);
            let bytes: u64 = living.iter().map(|(_, spot)| spot.frame_len()).sum();
            if bytes > room || groups.is_empty() {
                groups.push(Vec::new());
                room = PACK_SIZE as u64;
            }
            room = room.saturating_sub(bytes);
            groups.last_mut().expect("just made").push((pack, living));
        }
        groups
    }

    /// Stores these frames in a new pack; gives its size.
    async fn copy(&self, living: Living) -> Result<u64, StoreError> {
        let reader = self.store.reader().await?;
        let index = self.index.clone();
        let pack: Pack = self
            .store
            .blocking(move || {
                let mut builder = PackBuilder::with_capacity(0);
                for (id, spot) in &living {
                    // Only what can still be read is worth a new place.
                    let (entry, frame) = reader.checked_frame(&index, id, spot)?;
                    builder.push_frame(&entry, &frame);
                }
                Ok(builder.finish())
            })
            .await?;
        let (copied, size) = (pack.id, pack.bytes.len() as u64);
        let objects = self.store.objects();
        objects.put(&layout::pack(&copied), pack.bytes).await?;
        let entries = PackEntries { pack: copied, size, entries: pack.entries.into() };
        let (id, bytes) = index_file::encode(&[entries]);
        objects.put(&layout::index(&id), bytes.into()).await?;
        Ok(size)
    }
}
