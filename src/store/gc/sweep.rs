//! Removes what no backup needs.
//!
//! Nothing is removed unless every manifest and every inner node could be read. Removing comes
//! first and needs no space; what needs some (copying the living part of a wasteful pack, merging
//! index objects, noting what is to go) may fail and is then reported, not fatal.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::model::{BackupId, ChunkId, Manifest, PackId};
use crate::store::gc::survey::Survey;
use crate::store::gc::tidy;
use crate::store::index::deletion_marks;
use crate::store::index::deletion_marks::{Damaged, MarkedPacks};
use crate::store::index::lookup::Index;
use crate::store::{Held, Store, StoreError, layout};

/// Result of a sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Packs that are gone, the rewritten ones included.
    pub packs_removed: u64,
    /// Packs of which only the living part was kept.
    pub packs_rewritten: u64,
    /// Bytes that this freed.
    pub bytes_freed: u64,
    /// Bytes of packs that will go once their time of grace is over.
    pub bytes_pending: u64,
    /// Files and folders left by what was killed.
    pub orphans_removed: u64,
    /// Failures, for example because the disk is full.
    pub problems: Vec<String>,
}

impl Swept {
    pub(in crate::store) fn report(&mut self, outcome: Result<(), StoreError>) {
        if let Err(error) = outcome {
            self.problems.push(error.chain());
        }
    }
}

/// Chunks of the packs, by need.
struct Census {
    /// Nothing needs them.
    dead: Vec<PackId>,
    /// More than half of what they hold is needed by nothing, or a damaged copy that has been replaced;
    /// or they are to go.
    wasteful: Vec<PackId>,
}

impl Store {
    /// Removes the packs that no backup needs, and rewrites those that are mostly waste. `held` is
    /// [`crate::store::Lock::Objects`], held alone. With a `grace` of zero packs go at once; else they are
    /// marked, and go in a sweep that finds them still unneeded after so long.
    ///
    /// # Errors
    /// If a manifest or a node cannot be read: then nothing was removed. [`StoreError::LeaseLost`]
    /// if the lock was lost; what was removed by then was not needed.
    pub async fn sweep(&self, held: &Held, grace: Duration) -> Result<Swept, StoreError> {
        let now = held.now().await?;
        let backups = self.backups().await?;
        let mut manifests = Vec::new();
        for id in &backups {
            manifests.push(self.manifest(id).await?);
        }
        let Survey { index, needed, damaged } = self.survey(&manifests).await?;
        let census = census(&index, &needed);
        // In vain without removals: what is rewritten would be there twice.
        if !self.objects().can_remove().await? {
            return Ok(nothing_removed(&index, &census));
        }
        self.settle_removals(&backups).await?;
        let marked = deletion_marks::load(self.objects(), layout::MARKED_PACKS).await?;
        let sizes = index.packs().iter().map(|pack| (pack.id, pack.size)).collect();
        let (store, index, swept) = (self, &index, Swept::default());
        let mut sweep =
            Sweep { store, held, index, backups, sizes, grace, now, marked, damaged, swept };
        sweep.retire(&census.dead).await?;
        sweep.rewrite(&census.wasteful, &needed).await?;
        sweep.finish().await
    }

    /// Makes sure that no backup which is gone comes back after a loss of power: who removed it may have
    /// been killed before that was durable.
    async fn settle_removals(&self, backups: &[BackupId]) -> Result<(), StoreError> {
        let folders = self.objects().folders().await?;
        let is_removed = |id: &BackupId| !backups.contains(id);
        let removed = folders.iter().filter_map(|name| name.parse().ok()).filter(is_removed);
        let removed = removed.map(|id| id.to_string());
        self.objects().settle(removed.chain([String::new()])).await
    }

    /// The bytes that a sweep would free if there were only these backups.
    ///
    /// # Errors
    /// If an inner node of a tree cannot be read.
    pub async fn would_free(&self, manifests: &[Manifest]) -> Result<u64, StoreError> {
        let index = self.index().await?;
        let needed = self.needed(manifests).await?;
        let census = census(&index, &needed);
        let rewritten: HashSet<_> = census.wasteful.iter().collect();
        let gone: HashSet<_> = census.dead.iter().chain(&census.wasteful).collect();
        let packs = index.packs().iter().filter(|pack| gone.contains(&pack.id));
        let freed: u64 = packs.map(|pack| pack.size).sum();
        let living = index.chunks().filter(|(id, _)| needed.contains(*id));
        let copied = living.filter(|(_, spot)| rewritten.contains(&index.pack(spot).id));
        let copied: u64 = copied.map(|(_, spot)| spot.frame_len()).sum();
        Ok(freed.saturating_sub(copied))
    }

    async fn needed(&self, manifests: &[Manifest]) -> Result<HashSet<ChunkId>, StoreError> {
        if manifests.is_empty() { Ok(HashSet::new()) } else { self.reachable(manifests).await }
    }
}

/// Returns the result of a sweep where nothing may be removed.
fn nothing_removed(index: &Index, census: &Census) -> Swept {
    let dead: HashSet<_> = census.dead.iter().collect();
    let bytes: u64 =
        index.packs().iter().filter(|it| dead.contains(&it.id)).map(|it| it.size).sum();
    let mut swept = Swept::default();
    swept.problems.push(format!(
        "the object store does not let these credentials remove objects: {} packs with {bytes} bytes that \
         nothing needs stay",
        dead.len()
    ));
    swept
}

fn census(index: &Index, needed: &HashSet<ChunkId>) -> Census {
    let mut living = vec![0_u64; index.packs().len()];
    for (_, spot) in index.chunks().filter(|(id, _)| needed.contains(*id)) {
        living[spot.pack as usize] += spot.frame_len();
    }
    // Measured by frames alone: the table of a small pack is larger than what it lists.
    let mut held = vec![0_u64; index.packs().len()];
    for (_, spot) in index.frames().filter(|(_, spot)| !spot.is_like_nonce()) {
        held[spot.pack as usize] += spot.frame_len();
    }
    let missing = needed.iter().any(|id| index.get(id).is_none());
    // Something is wrong with it, and nothing is lacking that may lie in it.
    let mut healed: Vec<_> =
        index.packs().iter().map(|pack| pack.noted || (!pack.is_whole() && !missing)).collect();
    for (id, spot) in index.set_aside() {
        // The only copy of something that is needed stays, damaged as it is, and in its place.
        if needed.contains(id) && index.get(id).is_none() {
            living[spot.pack as usize] = u64::MAX;
        } else {
            healed[spot.pack as usize] = true;
        }
    }
    let mut census = Census { dead: Vec::new(), wasteful: Vec::new() };
    for (place, pack) in index.packs().iter().enumerate() {
        // What is missing may lie in a pack whose frames were not all found.
        let kept = living[place] == u64::MAX || (missing && !pack.is_whole());
        match living[place] {
            _ if kept => {}
            0 => census.dead.push(pack.id),
            living if pack.marked || healed[place] || living < held[place] / 2 => {
                census.wasteful.push(pack.id);
            }
            _ => {}
        }
    }
    census
}

/// A sweep under way.
pub(in crate::store) struct Sweep<'s> {
    pub store: &'s Store,
    pub held: &'s Held,
    pub index: &'s Arc<Index>,
    /// The backups whose chunks it keeps.
    pub backups: Vec<BackupId>,
    sizes: BTreeMap<PackId, u64>,
    pub grace: Duration,
    /// When it began, by the clock that all hosts share.
    pub now: DateTime<Utc>,
    /// Packs that are to go, and since when that is known.
    pub marked: MarkedPacks,
    damaged: Damaged,
    pub swept: Swept,
}

impl Sweep<'_> {
    /// Bytes of a pack's file.
    pub fn size(&self, pack: &PackId) -> u64 {
        self.sizes.get(pack).copied().unwrap_or(0)
    }

    /// What makes no room comes last.
    async fn finish(mut self) -> Result<Swept, StoreError> {
        self.held.check().await?;
        let noted = self.note_for_next().await;
        self.swept.report(noted);
        let forgotten = self.forget_damage().await;
        self.swept.report(forgotten);
        let merged = tidy::merge_indexes(self.store).await;
        self.swept.report(merged);
        for removed in [tidy::remove_orphans(self.store).await, self.held.tidy(self.now).await] {
            match removed {
                Ok(count) => self.swept.orphans_removed += count,
                Err(error) => self.swept.report(Err(error)),
            }
        }
        Ok(self.swept)
    }

    /// Damage in packs that are gone is of no interest.
    async fn forget_damage(&self) -> Result<(), StoreError> {
        let objects = self.store.objects();
        let before: Damaged = deletion_marks::load(objects, layout::DAMAGED).await?;
        let mut after = self.damaged.clone();
        if before.packs.is_empty() && after.packs.is_empty() {
            return Ok(());
        }
        let listed = objects.list(layout::PACKS).await?;
        let there: HashSet<_> =
            listed.iter().filter_map(|meta| layout::pack_id(&meta.location)).collect();
        after.packs.retain(|pack, _| there.contains(pack));
        deletion_marks::save(objects, layout::DAMAGED, &before, &after).await
    }
}
