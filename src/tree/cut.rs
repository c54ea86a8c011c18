//! Where a tree can be cut into pieces of about as many rows, to be walked side by side.

use super::node::{Entry, Node};
use super::row::Key;
use super::{ChunkSource, Malformed};
use crate::model::ChunkId;

/// Entries for each piece, so that the pieces come out even.
const ENTRIES: usize = 8;

/// At most `pieces - 1` keys, ascending, each the last of a subtree: a small tree has fewer.
///
/// # Errors
/// If a node cannot be read.
pub fn cuts<S: ChunkSource>(
    source: &S,
    root: &ChunkId,
    pieces: usize,
) -> Result<Vec<Key>, S::Error> {
    let node = |id: &ChunkId| Ok::<_, S::Error>(Node::parse(id, &source.chunk(id)?)?);
    let root = node(root)?;
    let (mut level, mut entries) = (root.level, root.entries);
    while level > 1 && entries.len() < pieces * ENTRIES {
        let mut below = Vec::new();
        for entry in &entries {
            let child = node(&entry.chunks[0])?;
            if child.level + 1 != level {
                let what = "a node of another level than expected";
                return Err(Malformed { id: entry.chunks[0], what }.into());
            }
            below.extend(child.entries);
        }
        (level, entries) = (level - 1, below);
    }
    Ok(even(&entries, pieces))
}

/// The last keys of the entries at which the next piece's share of the rows is reached.
fn even(entries: &[Entry], pieces: usize) -> Vec<Key> {
    let total: u64 = entries.iter().map(|entry| entry.rows).sum();
    let (mut keys, mut rows, pieces) = (Vec::new(), 0, pieces as u64);
    for entry in entries.iter().take(entries.len().saturating_sub(1)) {
        let before = rows * pieces / total;
        rows += entry.rows;
        if rows * pieces / total > before {
            keys.push(entry.last_key.clone());
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ChunkId;

    fn entry(key: u8, rows: u64) -> Entry {
        Entry { last_key: vec![key], chunks: vec![ChunkId::of(&[key])], rows, bytes: rows }
    }

    #[test]
    fn pieces_have_about_as_many_rows_and_the_last_has_the_rest() {
        let entries: Vec<_> = (1..=10).map(|key| entry(key, 10)).collect();
        assert_eq!(even(&entries, 2), [[5]]);
        assert_eq!(even(&entries, 5), [[2], [4], [6], [8]]);
        assert_eq!(even(&entries, 1), Vec::<Key>::new());
        assert_eq!(even(&entries[..1], 4), Vec::<Key>::new());
        assert_eq!(even(&[], 4), Vec::<Key>::new());
    }

    #[test]
    fn one_large_subtree_is_not_cut_twice() {
        let entries = [entry(1, 90), entry(2, 5), entry(3, 5)];
        assert_eq!(even(&entries, 4), [[1]]);
    }
}
