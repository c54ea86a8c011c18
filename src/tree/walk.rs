//! Names every chunk of a tree, reading only its nodes.

use super::node::{Entry, Node};
use super::{ChunkSource, Malformed};
use crate::model::ChunkId;

/// What a chunk is in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkKind<'n> {
    /// An inner node.
    Node,
    /// One group of the leaf that this entry describes.
    Leaf {
        /// The leaf's entry in its node.
        entry: &'n Entry,
        group: usize,
    },
}

/// Calls `visit` for each chunk, parents before children. The children of a node for which it
/// answers `false` are not visited; so a subtree that is known already costs nothing.
///
/// # Errors
/// If a node cannot be read, is malformed, or does not count what its parent says.
pub fn walk<S: ChunkSource>(
    source: &S,
    root: &ChunkId,
    visit: &mut impl FnMut(&ChunkId, ChunkKind<'_>) -> bool,
) -> Result<(), S::Error> {
    if visit(root, ChunkKind::Node) { descend(source, root, None, visit) } else { Ok(()) }
}

fn descend<S: ChunkSource>(
    source: &S,
    id: &ChunkId,
    above: Option<(u8, &Entry)>,
    visit: &mut impl FnMut(&ChunkId, ChunkKind<'_>) -> bool,
) -> Result<(), S::Error> {
    let node = Node::parse(id, &source.chunk(id)?)?;
    if let Some((level, entry)) = above {
        let last = node.entries.last().map(|last| &last.last_key);
        let same = (node.level + 1, node.rows(), node.bytes()) == (level, entry.rows, entry.bytes);
        if !same || last != Some(&entry.last_key) {
            return Err(
                Malformed { id: *id, what: "a node does not count what its parent says" }.into()
            );
        }
    }
    for entry in &node.entries {
        if node.level == 1 {
            for (group, chunk) in entry.chunks.iter().enumerate() {
                visit(chunk, ChunkKind::Leaf { entry, group });
            }
        } else if visit(&entry.chunks[0], ChunkKind::Node) {
            descend(source, &entry.chunks[0], Some((node.level, entry)), visit)?;
        }
    }
    Ok(())
}
