//! Which chunks backups need, found by walking their trees; leaves are not read for it.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use crate::model::{BackupId, ChunkId, Manifest, Profile};
use crate::store::format::frame::MAX_DEPTH;
use crate::store::index::lookup::Index;
use crate::store::{Reader, Store, StoreError};
use crate::threads;
use crate::tree::walk;

impl Store {
    /// Every chunk that these backups need to be read, the bases of chunks included.
    ///
    /// # Errors
    /// If an inner node of a tree cannot be read.
    pub async fn reachable(&self, manifests: &[Manifest]) -> Result<HashSet<ChunkId>, StoreError> {
        let reader = self.reader().await?;
        let roots: Vec<_> = roots(manifests).collect();
        let index = self.index().await?;
        let mut reached = profiles(manifests, &index);
        self.blocking(move || {
            for root in roots {
                walk(&reader, &root, &mut |id, _| reached.insert(*id))?;
            }
            add_bases(&mut reached, &index);
            Ok(reached)
        })
        .await
    }

    /// Whether every chunk that this backup needs is there, as far as nodes and index tell; leaves are not
    /// read.
    ///
    /// # Errors
    /// If the object store fails.
    pub async fn has_chunks(&self, manifest: &Manifest) -> Result<bool, StoreError> {
        let index = match self.index().await {
            Err(StoreError::PacksMissing(_)) => return Ok(false),
            index => index?,
        };
        match self.reachable(std::slice::from_ref(manifest)).await {
            Ok(needed) => Ok(needed.iter().all(|id| index.get(id).is_some())),
            Err(error) if error.is_about_a_chunk() => Ok(false),
            Err(error) if self.objects().is_unreadable(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// For each backup the stored bytes that nothing else needs: about what deleting it alone would
    /// free in the end.
    ///
    /// # Errors
    /// If an inner node of a tree cannot be read.
    pub async fn exclusive_sizes(
        &self,
        manifests: &[Manifest],
    ) -> Result<BTreeMap<BackupId, u64>, StoreError> {
        let reader = self.reader().await?;
        let index = self.index().await?;
        let backups: Vec<(BackupId, Vec<ChunkId>)> = manifests
            .iter()
            .map(|one| (one.backup_id.clone(), roots(std::slice::from_ref(one)).collect()))
            .collect();
        self.blocking(move || {
            let owners = owners(&reader, &backups, &index)?;
            let mut sizes: Vec<u64> = vec![0; backups.len()];
            for (id, owner) in owners {
                let size = index.get(&id).map_or(0, |spot| spot.frame_len());
                if let Owner::One(backup) = owner {
                    sizes[backup as usize] += size;
                }
            }
            Ok(backups.into_iter().map(|(id, _)| id).zip(sizes).collect())
        })
        .await
    }

    /// For each of these backups the stored bytes that it needs and that neither those kept nor the
    /// backups before it here need.
    ///
    /// # Errors
    /// If an inner node of a tree cannot be read.
    pub async fn sizes_beyond(
        &self,
        kept: &[Manifest],
        others: &[Manifest],
    ) -> Result<Vec<u64>, StoreError> {
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let mut reached = self.reachable(kept).await?;
        let (reader, index) = (self.reader().await?, self.index().await?);
        let others: Vec<Vec<_>> =
            others.iter().map(|one| roots(std::slice::from_ref(one)).collect()).collect();
        let size = move |roots: &Vec<ChunkId>| {
            let mut size = 0;
            for root in roots {
                walk(&reader, root, &mut |id, _| {
                    let is_new = reached.insert(*id);
                    if is_new {
                        size += index.get(id).map_or(0, |spot| spot.frame_len());
                        for base in bases(&index, *id).filter(|base| reached.insert(*base)) {
                            size += index.get(&base).map_or(0, |spot| spot.frame_len());
                        }
                    }
                    is_new
                })?;
            }
            Ok(size)
        };
        self.blocking(move || {
            let mut size = size;
            others.iter().map(&mut size).collect()
        })
        .await
    }

    pub(in crate::store) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = threads::spawn(work).await;
        done.expect("the work neither panics nor is cancelled")
    }
}

/// The roots of all trees of these backups.
pub fn roots(manifests: &[Manifest]) -> impl Iterator<Item = ChunkId> {
    manifests.iter().flat_map(|manifest| manifest.trees().map(|part| part.root))
}

/// The chunks of the profiles of these backups. That of the built-in one need not be there: programs
/// that do not know of profiles remove it, and this one knows it anyway.
pub fn profiles(manifests: &[Manifest], index: &Index) -> HashSet<ChunkId> {
    let chunks: HashSet<_> =
        manifests.iter().filter_map(|manifest| manifest.profile.chunk()).collect();
    let builtin = Profile::builtin_id();
    let needed = |chunk: &ChunkId| *chunk != builtin || index.copies(chunk).next().is_some();
    chunks.into_iter().filter(needed).collect()
}

fn add_bases(reached: &mut HashSet<ChunkId>, index: &Index) {
    let standing: Vec<_> = reached.iter().filter(|id| index.base(id).is_some()).copied().collect();
    for id in standing {
        reached.extend(bases(index, id));
    }
}

/// The bases behind a chunk.
fn bases(index: &Index, id: ChunkId) -> impl Iterator<Item = ChunkId> {
    let chain = std::iter::successors(Some(id), |id| index.base(id).copied());
    chain.skip(1).take(usize::from(MAX_DEPTH))
}

/// Who needs a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    One(u32),
    Many,
}

/// Notes one more that needs a chunk; says whether that changed anything.
fn claim(owners: &mut HashMap<ChunkId, Owner>, id: ChunkId, backup: u32) -> bool {
    match owners.entry(id) {
        Entry::Vacant(slot) => {
            slot.insert(Owner::One(backup));
            true
        }
        Entry::Occupied(mut slot) => {
            let other = *slot.get() != Owner::Many && *slot.get() != Owner::One(backup);
            if other {
                slot.insert(Owner::Many);
            }
            other
        }
    }
}

fn owners(
    reader: &Reader,
    backups: &[(BackupId, Vec<ChunkId>)],
    index: &Index,
) -> Result<HashMap<ChunkId, Owner>, StoreError> {
    let mut owners = HashMap::new();
    for (backup, (_, roots)) in (0..).zip(backups) {
        for root in roots {
            // Below a node whose owner stays the same, all owners stay the same.
            walk(reader, root, &mut |id, _| {
                let changed = claim(&mut owners, *id, backup);
                if changed {
                    for base in bases(index, *id) {
                        claim(&mut owners, base, backup);
                    }
                }
                changed
            })?;
        }
    }
    Ok(owners)
}
