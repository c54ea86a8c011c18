//! Rows in key order as a Merkle tree of chunks whose boundaries depend on the keys.
//!
//! Pure: bytes in, bytes out. A [`ChunkSink`] takes what a [`TreeBuilder`] makes; a
//! [`ChunkSource`] gives it back to [`Cursor`], [`Diff`] and [`lookup`].

mod builder;
mod cursor;
mod cut;
mod diff;
mod layout;
mod leaf;
mod lookup;
mod missing;
mod node;
mod patch;
mod present;
#[cfg(test)]
mod properties;
mod row;
pub mod split;
mod tally;
mod varint;
mod walk;

use bytes::Bytes;

use crate::model::ChunkId;

pub use builder::{BuildError, TreeBuilder};
pub use cursor::{Cursor, Head};
pub use cut::cuts;
pub use diff::{Change, Diff, Range};
pub use layout::Layout;
pub use leaf::LeafGroup;
pub use lookup::{chunk_at, lookup};
pub use missing::{Missing, Unlike};
pub use node::{Entry, Node};
pub use patch::patch;
pub use present::present;
pub use row::{Key, Row, RowError, fields, key_text, unescape};
pub use walk::{ChunkKind, walk};

/// The most bytes that a chunk may have. A reader refuses to allocate more.
pub const MAX_CHUNK: usize = 2 << 30;

/// The most bytes of a row as COPY text: PostgreSQL builds no longer line, and the heads of the chunks
/// need room beside it.
pub const MAX_ROW: usize = MAX_CHUNK / 2;

/// A tree: its root node's chunk, and what that node counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    /// The root node's chunk.
    pub id: ChunkId,
    /// Rows below it.
    pub rows: u64,
    /// Bytes of these rows as COPY text, line ends included.
    pub bytes: u64,
}

/// Where in its tree a chunk stands.
#[derive(Debug, Clone, Copy)]
pub struct ChunkPosition<'a> {
    /// 0 for a leaf's group.
    pub level: u8,
    /// Which group of a leaf; 0 for nodes.
    pub group: usize,
    /// The key of the last row below it; empty for the root of an empty tree.
    pub last_key: &'a [u8],
}

/// Takes the chunks of a tree as they become complete, children before parents.
pub trait ChunkSink {
    /// Why a chunk could not be taken.
    type Error;

    /// Takes one chunk. The same chunk may come more than once.
    ///
    /// # Errors
    /// If the sink can take no more; the tree is then not to be used.
    fn put(
        &mut self,
        place: &ChunkPosition<'_>,
        id: ChunkId,
        bytes: Vec<u8>,
    ) -> Result<(), Self::Error>;
}

/// Gives the bytes of a chunk. What it gives has been checked against the id.
pub trait ChunkSource {
    /// Why a chunk cannot be had, or what it holds is no chunk.
    type Error: From<Malformed>;

    /// The chunk's uncompressed bytes.
    ///
    /// # Errors
    /// If the chunk is missing or its bytes are not what the id says.
    fn chunk(&self, id: &ChunkId) -> Result<Bytes, Self::Error>;
}

/// A chunk whose hash is right but whose bytes break the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("chunk {id} breaks the format: {what}")]
pub struct Malformed {
    pub id: ChunkId,
    /// The rule that it breaks.
    pub what: &'static str,
}

impl<S: ChunkSource + ?Sized> ChunkSource for &S {
    type Error = S::Error;

    fn chunk(&self, id: &ChunkId) -> Result<Bytes, Self::Error> {
        (**self).chunk(id)
    }
}

/// A sink that keeps nothing: for computing a root.
#[derive(Debug, Default)]
pub struct Discard;

impl ChunkSink for Discard {
    type Error = std::convert::Infallible;

    fn put(&mut self, _: &ChunkPosition<'_>, _: ChunkId, _: Vec<u8>) -> Result<(), Self::Error> {
        Ok(())
    }
}
