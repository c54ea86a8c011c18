//! What a sweep must know before it removes anything: which chunks backups need, each with the bases
//! that its frame really uses, and which of several copies are right.

use std::collections::HashSet;
use std::sync::Arc;

use crate::model::{ChunkId, Manifest};
use crate::store::gc::reach;
use crate::store::index::deletion_marks::Damaged;
use crate::store::index::load::{Known, Trust};
use crate::store::index::location::ChunkLocation;
use crate::store::index::lookup::Index;
use crate::store::{Reader, Store, StoreError};
use crate::tree::walk;

/// What was found.
pub struct Survey {
    /// All packs, by what they say themselves. The chosen copy of a chunk that has several is right,
    /// if any is.
    pub index: Arc<Index>,
    /// Every chunk that backups need, the bases of chunks included.
    pub needed: HashSet<ChunkId>,
    /// The copies that are damaged, as far as is known.
    pub damaged: Damaged,
}

impl Store {
    /// Looks at everything that these backups need.
    ///
    /// # Errors
    /// If a node of a tree or a pack cannot be read.
    pub(in crate::store) async fn survey(
        &self,
        manifests: &[Manifest],
    ) -> Result<Survey, StoreError> {
        let Known { listing, index } = self.known(Trust::Packs).await?;
        let reader = Reader::new(self, index.clone(), None);
        let roots: Vec<_> = reach::roots(manifests).collect();
        let mut reached = reach::profiles(manifests, &index);
        self.blocking(move || {
            for root in roots {
                walk(&reader, &root, &mut |id, _| reached.insert(*id))?;
            }
            settle(&reader, index, &reached, listing.damaged.clone())
        })
        .await
    }
}

/// Reads the copies of each needed chunk that has several, or one that was found damaged, until all
/// chosen ones are right. Each chunk's copies are read once, so this ends.
fn settle(
    reader: &Reader,
    mut index: Arc<Index>,
    reached: &HashSet<ChunkId>,
    mut damaged: Damaged,
) -> Result<Survey, StoreError> {
    let mut judged = HashSet::new();
    loop {
        let needed = with_bases(reader, &index, reached)?;
        let mut after = damaged.clone();
        for id in needed.iter().filter(|id| !judged.contains(*id)) {
            let copies: Vec<ChunkLocation> = index.copies(id).collect();
            if copies.len() > 1 || index.get(id).is_none() {
                judge(reader, &index, id, &copies, &mut after)?;
            }
        }
        judged.extend(needed.iter().copied());
        if after == damaged {
            return Ok(Survey { index, needed, damaged });
        }
        index = Arc::new(index.with_damaged(&after));
        damaged = after;
    }
}

/// What reading a copy has shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copy {
    Right,
    Wrong,
    /// It or its base cannot be read, so nothing is known of it.
    Unknown,
}

/// Notes which copies of a chunk are right. If one is, those that cannot be read do not count.
fn judge(
    reader: &Reader,
    index: &Index,
    id: &ChunkId,
    copies: &[ChunkLocation],
    damaged: &mut Damaged,
) -> Result<(), StoreError> {
    let mut read = Vec::with_capacity(copies.len());
    for spot in copies {
        read.push((index.pack(spot).id, copy(reader, index, id, spot)?));
    }
    let one_is_right = read.iter().any(|(_, copy)| *copy == Copy::Right);
    for (pack, _) in &read {
        let mut alike = read.iter().filter(|(other, _)| other == pack).map(|(_, copy)| *copy);
        if alike.clone().all(|copy| copy == Copy::Right) {
            damaged.judge(*pack, *id, true);
        } else if one_is_right || alike.any(|copy| copy == Copy::Wrong) {
            damaged.judge(*pack, *id, false);
        }
    }
    Ok(())
}

fn copy(
    reader: &Reader,
    index: &Index,
    id: &ChunkId,
    spot: &ChunkLocation,
) -> Result<Copy, StoreError> {
    match reader.check_copy(index, id, spot) {
        Ok(()) => Ok(Copy::Right),
        Err(StoreError::ChunkDamaged { id: of, .. }) if of == *id => Ok(Copy::Wrong),
        Err(StoreError::ChunkDamaged { .. } | StoreError::ChunkMissing(_)) => Ok(Copy::Unknown),
        Err(error) if error.is_not_found() => Ok(Copy::Wrong),
        Err(error) if reader.is_unreadable(&error) => Ok(Copy::Unknown),
        Err(error) => Err(error),
    }
}

/// These chunks and every base behind them: what the tables say and what the frames use. Where the
/// two differ, both are kept.
fn with_bases(
    reader: &Reader,
    index: &Index,
    reached: &HashSet<ChunkId>,
) -> Result<HashSet<ChunkId>, StoreError> {
    let mut needed = reached.clone();
    let mut open: Vec<ChunkId> = reached.iter().copied().collect();
    while !open.is_empty() {
        let mut spots: Vec<ChunkLocation> =
            open.iter().flat_map(|id| copies_to_keep(index, id)).collect();
        // Neighbours share the blocks that are read.
        spots.sort_by_key(|spot| (spot.pack, spot.offset));
        open.clear();
        for spot in spots {
            if spot.base.is_some() {
                let bases = [spot.base, reader.base_at(index, &spot)?];
                open.extend(bases.into_iter().flatten().filter(|base| needed.insert(*base)));
            }
        }
    }
    Ok(needed)
}

/// The copy that is kept; all of them if each was found damaged.
fn copies_to_keep(index: &Index, id: &ChunkId) -> Vec<ChunkLocation> {
    let copies = index.copies(id);
    if index.get(id).is_some() { copies.take(1).collect() } else { copies.collect() }
}
