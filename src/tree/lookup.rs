//! Finds one row, or the chunk that stands where another one would.

use super::leaf::{Leaf, LeafGroup};
use super::node::{Entry, Node};
use super::row::Row;
use super::{ChunkPosition, ChunkSource, Layout, Malformed};
use crate::model::ChunkId;

/// The row with this key, if the tree has it.
///
/// # Errors
/// If a chunk on the way cannot be read.
pub fn lookup<S: ChunkSource>(
    source: &S,
    layout: &Layout,
    root: &ChunkId,
    key: &[u8],
) -> Result<Option<Row>, S::Error> {
    let Some(entry) = descend(source, root, 0, key)? else {
        return Ok(None);
    };
    let mut groups = Vec::with_capacity(entry.chunks.len());
    for id in &entry.chunks {
        groups.push(LeafGroup::parse(id, &source.chunk(id)?)?);
    }
    let id = entry.chunks[0];
    let leaf = Leaf::new(&id, groups, layout)?;
    let malformed = |_| Malformed { id, what: "a leaf with a key that is none" };
    for row in 0..leaf.rows() {
        if leaf.key(row, layout).map_err(malformed)? == key {
            return Ok(Some(leaf.row(row)));
        }
    }
    Ok(None)
}

/// The chunk of this tree that stands at the place: same level and group, and its keys reach over
/// the place's last key. What a chunk there most likely resembles.
///
/// # Errors
/// If a chunk on the way cannot be read.
pub fn chunk_at<S: ChunkSource>(
    source: &S,
    root: &ChunkId,
    place: &ChunkPosition<'_>,
) -> Result<Option<ChunkId>, S::Error> {
    let entry = descend(source, root, place.level, place.last_key)?;
    Ok(entry.and_then(|entry| entry.chunks.get(place.group).copied()))
}

/// The entry of this level whose keys reach over `key`; none above the root's children.
fn descend<S: ChunkSource>(
    source: &S,
    root: &ChunkId,
    level: u8,
    key: &[u8],
) -> Result<Option<Entry>, S::Error> {
    let mut id = *root;
    let mut above = None;
    loop {
        let node = Node::parse(&id, &source.chunk(&id)?)?;
        if above.is_some_and(|above| above != node.level + 1) {
            return Err(Malformed { id, what: "a node of another level than expected" }.into());
        }
        if node.level == level && above.is_none() {
            let (last_key, rows, bytes) = (key.to_vec(), node.rows(), node.bytes());
            return Ok(Some(Entry { last_key, chunks: vec![id], rows, bytes }));
        }
        if node.level <= level {
            return Ok(None);
        }
        let place = node.entries.partition_point(|entry| entry.last_key.as_slice() < key);
        let Some(entry) = node.entries.into_iter().nth(place) else {
            return Ok(None);
        };
        if node.level == level + 1 {
            return Ok(Some(entry));
        }
        (id, above) = (entry.chunks[0], Some(node.level));
    }
}
