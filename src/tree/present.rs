//! Tells which of some keys a tree has: reads only the leaves that could hold them, and of these only the
//! group with the key.

use std::ops::Range;

use super::leaf::{Leaf, LeafGroup};
use super::node::{Entry, Node};
use super::row::Key;
use super::{ChunkSource, Layout, Malformed};
use crate::model::ChunkId;

/// Returns for each of these keys, which ascend, whether the tree has a row with it.
///
/// # Errors
/// If a chunk on the way cannot be read.
pub fn present<S: ChunkSource>(
    source: &S,
    layout: &Layout,
    root: &ChunkId,
    keys: &[&Key],
) -> Result<Vec<bool>, S::Error> {
    let mut found = vec![false; keys.len()];
    if !keys.is_empty() {
        descend(source, layout, root, keys, &mut found)?;
    }
    Ok(found)
}

fn descend<S: ChunkSource>(
    source: &S,
    layout: &Layout,
    id: &ChunkId,
    keys: &[&Key],
    found: &mut [bool],
) -> Result<(), S::Error> {
    let node = Node::parse(id, &source.chunk(id)?)?;
    let mut from = 0;
    for entry in &node.entries {
        let upto = from + keys[from..].partition_point(|key| **key <= entry.last_key);
        if upto == from {
            continue;
        }
        let Range { start, end } = from..upto;
        if node.level > 1 {
            descend(source, layout, &entry.chunks[0], &keys[start..end], &mut found[start..end])?;
        } else {
            let there = leaf_keys(source, layout, entry)?;
            for (key, found) in keys[start..end].iter().zip(&mut found[start..end]) {
                *found = there.binary_search(key).is_ok();
            }
        }
        from = upto;
    }
    Ok(())
}

/// The keys of a leaf, which ascend; reads its first group alone.
///
/// # Errors
/// If the chunk cannot be read or its keys do not ascend.
pub(super) fn leaf_keys<S: ChunkSource>(
    source: &S,
    layout: &Layout,
    entry: &Entry,
) -> Result<Vec<Key>, S::Error> {
    let id = entry.chunks[0];
    let group = LeafGroup::parse(&id, &source.chunk(&id)?)?;
    let malformed = |what| Malformed { id, what };
    let keys = Leaf::keys_of(&group, layout);
    let keys: Vec<Key> = keys.map_err(|_| malformed("a leaf with a key that is none"))?;
    if keys.len() as u64 != entry.rows || !keys.is_sorted_by(|one, next| one < next) {
        return Err(malformed("a leaf whose keys are not as its node says").into());
    }
    Ok(keys)
}
