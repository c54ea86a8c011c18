//! An inner node: for each child its last key, its chunks, and what it counts.
//!
//! ```text
//! 'N'  level: u8  entries: varint  chunks per entry: varint
//! last keys   entries × (length: varint, bytes)
//! chunk ids   for each chunk of an entry, for each entry: 32 bytes
//! rows        entries × varint
//! bytes       entries × varint
//! ```
//!
//! Level 1 refers to leaves, one chunk for each group of columns. Only an empty tree has a node
//! without entries: a root of level 1.

use super::row::Key;
use super::{Malformed, varint};
use crate::model::ChunkId;

/// The first byte of a node's chunk.
pub const TAG: u8 = b'N';

/// The highest level that a reader accepts: far more than 2⁶⁴ rows need.
pub const MAX_LEVEL: u8 = 32;

/// A child of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key of the last row below it.
    pub last_key: Key,
    /// Its chunks: one for a node, one for each group for a leaf.
    pub chunks: Vec<ChunkId>,
    /// Rows below it.
    pub rows: u64,
    /// Bytes of these rows as COPY text.
    pub bytes: u64,
}

/// An inner node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// 1 for a node of leaves.
    pub level: u8,
    /// The children in the order of their keys.
    pub entries: Vec<Entry>,
}

impl Node {
    /// The chunk's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let chunks = self.entries.first().map_or(1, |entry| entry.chunks.len());
        let mut out = vec![TAG, self.level];
        varint::write(&mut out, self.entries.len() as u64);
        varint::write(&mut out, chunks as u64);
        for entry in &self.entries {
            varint::write(&mut out, entry.last_key.len() as u64);
            out.extend_from_slice(&entry.last_key);
        }
        for chunk in 0..chunks {
            for entry in &self.entries {
                out.extend_from_slice(&entry.chunks[chunk].0);
            }
        }
        for entry in &self.entries {
            varint::write(&mut out, entry.rows);
        }
        for entry in &self.entries {
            varint::write(&mut out, entry.bytes);
        }
        out
    }

    /// Reads a chunk.
    ///
    /// # Errors
    /// If the bytes are not those of a node, or its keys do not ascend.
    pub fn parse(id: &ChunkId, chunk: &[u8]) -> Result<Self, Malformed> {
        parse(chunk).map_err(|what| Malformed { id: *id, what })
    }

    /// Rows below it.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.entries.iter().fold(0, |sum, entry| sum.saturating_add(entry.rows))
    }

    /// Bytes of these rows as COPY text.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.entries.iter().fold(0, |sum, entry| sum.saturating_add(entry.bytes))
    }
}

fn parse(chunk: &[u8]) -> Result<Node, &'static str> {
    let [TAG, level @ 1..=MAX_LEVEL, rest @ ..] = chunk else {
        return Err("it is not a node");
    };
    let mut rest = rest;
    let count = varint::read_usize(&mut rest).ok_or("a node's entry count")?;
    let chunks = varint::read_usize(&mut rest).ok_or("a node's chunk count")?;
    let hashes = count.checked_mul(chunks).and_then(|all| all.checked_mul(32));
    let sound = chunks > 0 && (chunks == 1 || *level == 1) && (count > 0 || *level == 1);
    if !sound || hashes.is_none_or(|bytes| bytes > rest.len()) {
        return Err("a node with counts that cannot be");
    }
    let mut entries = keys(&mut rest, count, chunks)?;
    for _ in 0..chunks {
        for entry in &mut entries {
            let (hash, tail) = rest.split_first_chunk::<32>().ok_or("a node's chunk ids")?;
            entry.chunks.push(ChunkId(*hash));
            rest = tail;
        }
    }
    for entry in &mut entries {
        entry.rows = varint::read(&mut rest).ok_or("a node's row counts")?;
    }
    for entry in &mut entries {
        entry.bytes = varint::read(&mut rest).ok_or("a node's byte counts")?;
    }
    if !rest.is_empty() {
        return Err("a node with bytes left over");
    }
    Ok(Node { level: *level, entries })
}

fn keys(rest: &mut &[u8], count: usize, chunks: usize) -> Result<Vec<Entry>, &'static str> {
    let mut entries: Vec<Entry> = Vec::with_capacity(count);
    for _ in 0..count {
        let length = varint::read_usize(rest).ok_or("a node's key length")?;
        let (key, tail) = rest.split_at_checked(length).ok_or("a node's key")?;
        *rest = tail;
        if entries.last().is_some_and(|before| before.last_key.as_slice() >= key) {
            return Err("a node whose keys do not ascend");
        }
        let chunks = Vec::with_capacity(chunks);
        entries.push(Entry { last_key: key.to_vec(), chunks, rows: 0, bytes: 0 });
    }
    Ok(entries)
}
