//! Finds the keys of a tree that are not among many others, which come in any order. Counts the others leaf by
//! leaf, so that no leaf is read which lacks none, and keeps four bytes of each.

use super::present::leaf_keys;
use super::row::Key;
use super::walk::{ChunkKind, walk};
use super::{ChunkSource, Entry, Layout};
use crate::model::ChunkId;

/// The leaves of a tree, and what came of their keys.
#[derive(Debug, Clone)]
pub struct Missing {
    leaves: Vec<Leaf>,
}

#[derive(Debug, Clone)]
struct Leaf {
    entry: Entry,
    /// A digest of each key that came.
    came: Vec<u32>,
}

/// The keys that came cannot be those of this tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unlike;

impl Missing {
    /// Nothing came yet.
    ///
    /// # Errors
    /// If a node cannot be read.
    pub fn new<S: ChunkSource>(source: &S, root: &ChunkId) -> Result<Self, S::Error> {
        let mut leaves = Vec::new();
        walk(source, root, &mut |_, kind| {
            if let ChunkKind::Leaf { entry, group: 0 } = kind {
                leaves.push(Leaf { entry: entry.clone(), came: Vec::new() });
            }
            true
        })?;
        Ok(Self { leaves })
    }

    /// Takes a key that is there.
    ///
    /// # Errors
    /// If the tree has no room for it: it is none of its keys.
    pub fn came(&mut self, key: &[u8]) -> Result<(), Unlike> {
        let place = self.leaves.partition_point(|leaf| leaf.entry.last_key.as_slice() < key);
        let leaf = self.leaves.get_mut(place).ok_or(Unlike)?;
        if leaf.came.len() as u64 == leaf.entry.rows {
            return Err(Unlike);
        }
        leaf.came.push(digest(key));
        Ok(())
    }

    /// Adds the keys that came to another one of the same tree.
    ///
    /// # Errors
    /// As of [`Self::came`].
    pub fn add(&mut self, other: Self) -> Result<(), Unlike> {
        for (leaf, other) in self.leaves.iter_mut().zip(other.leaves) {
            leaf.came.extend(other.came);
            if leaf.came.len() as u64 > leaf.entry.rows {
                return Err(Unlike);
            }
        }
        Ok(())
    }

    /// The keys of the tree that did not come, ascending.
    ///
    /// # Errors
    /// If a leaf that lacks some cannot be read; the inner result, if keys came that it does not have, or two of
    /// its keys cannot be told apart by their digests.
    pub fn find<S: ChunkSource>(
        self,
        source: &S,
        layout: &Layout,
    ) -> Result<Result<Vec<Key>, Unlike>, S::Error> {
        let mut missing = Vec::new();
        for Leaf { entry, mut came } in self.leaves {
            let lacking = entry.rows - came.len() as u64;
            if lacking == 0 {
                continue;
            }
            came.sort_unstable();
            let mut keys: Vec<_> = leaf_keys(source, layout, &entry)?
                .into_iter()
                .map(|key| (digest(&key), key))
                .collect();
            keys.sort_unstable();
            let alike = keys.windows(2).any(|pair| pair[0].0 == pair[1].0);
            let before = missing.len();
            missing.extend(
                keys.into_iter()
                    .filter(|(digest, _)| came.binary_search(digest).is_err())
                    .map(|(_, key)| key),
            );
            if alike || (missing.len() - before) as u64 != lacking {
                return Ok(Err(Unlike));
            }
        }
        missing.sort_unstable();
        Ok(Ok(missing))
    }
}

/// Tells the keys of one leaf apart; FNV-1a, whose upper half is folded in.
fn digest(key: &[u8]) -> u32 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = key.iter().fold(0xcbf2_9ce4_8422_2325, step);
    let folded = (hash >> 32) ^ (hash & u64::from(u32::MAX));
    u32::try_from(folded).expect("32 bits of 64 that were folded")
}
