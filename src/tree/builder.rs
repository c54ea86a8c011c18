//! Makes a tree from rows that come in key order; holds one open leaf and one open node a level.

use super::leaf::LeafBuilder;
use super::node::{Entry, MAX_LEVEL, Node};
use super::row::{Key, RowError};
use super::split::{LEAF_BYTES_LIMIT, Splitter};
use super::{ChunkPosition, ChunkSink, Layout, Root};
use crate::model::ChunkId;

/// Why a tree could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError<E> {
    /// A row does not fit the layout.
    #[error(transparent)]
    Row(#[from] RowError),
    /// A key does not come after the one before it.
    #[error("rows did not come in key order: {} after {}", .next.escape_ascii(), .before.escape_ascii())]
    Order {
        before: Key,
        /// The key that should have come later.
        next: Key,
    },
    /// The sink could not take a chunk.
    #[error(transparent)]
    Sink(E),
    /// A chunk of the tree that is changed could not be read.
    #[error(transparent)]
    Source(E),
}

/// Rows in, chunks out.
#[derive(Debug)]
pub struct TreeBuilder<'l> {
    layout: &'l Layout,
    splitter: Splitter,
    leaf: LeafBuilder,
    last_key: Option<Key>,
    /// The open nodes; the first is of level 1.
    open: Vec<Vec<Entry>>,
}

impl<'l> TreeBuilder<'l> {
    /// An empty tree.
    #[must_use]
    pub fn new(layout: &'l Layout, splitter: Splitter) -> Self {
        let leaf = LeafBuilder::new(layout);
        Self { layout, splitter, leaf, last_key: None, open: vec![Vec::new()] }
    }

    /// Adds the next row: COPY text without its line end.
    ///
    /// # Errors
    /// If the row does not fit, does not come after the one before, or the sink fails.
    pub fn push<S: ChunkSink>(
        &mut self,
        row: &[u8],
        sink: &mut S,
    ) -> Result<(), BuildError<S::Error>> {
        let key = self.layout.key_of(row)?;
        self.push_keyed(&key, row, sink)
    }

    /// As [`Self::push`], for who has the row's key already.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn push_keyed<S: ChunkSink>(
        &mut self,
        key: &[u8],
        row: &[u8],
        sink: &mut S,
    ) -> Result<(), BuildError<S::Error>> {
        if let Some(before) = self.last_key.take_if(|before| **before >= *key) {
            return Err(BuildError::Order { before, next: key.to_vec() });
        }
        self.leaf.push(row)?;
        key.clone_into(self.last_key.get_or_insert_default());
        let ends = self.splitter.ends_after(0, self.leaf.rows(), key)
            || self.leaf.bytes() >= LEAF_BYTES_LIMIT;
        if ends { self.end_leaf(sink) } else { Ok(()) }
    }

    /// Whether a subtree of this level (0: a leaf) that begins now begins a chunk of its own on each of its
    /// levels.
    pub(super) fn ends_before(&self, level: u8) -> bool {
        self.leaf.rows() == 0 && self.open.iter().take(level.into()).all(Vec::is_empty)
    }

    /// Adds a whole subtree of another tree, which ended there by its keys. The one before has
    /// [ended](Self::ends_before).
    pub(super) fn push_subtree<S: ChunkSink>(
        &mut self,
        level: u8,
        entry: Entry,
        sink: &mut S,
    ) -> Result<(), BuildError<S::Error>> {
        entry.last_key.clone_into(self.last_key.get_or_insert_default());
        while self.open.len() < usize::from(level) {
            self.open.push(Vec::new());
        }
        self.add(level + 1, entry, sink)
    }

    /// Ends the tree.
    ///
    /// # Errors
    /// If the sink fails.
    pub fn finish<S: ChunkSink>(mut self, sink: &mut S) -> Result<Root, BuildError<S::Error>> {
        if self.leaf.rows() > 0 {
            self.end_leaf(sink)?;
        }
        let mut level = 1;
        loop {
            let top = usize::from(level) == self.open.len();
            // A single child that is a node already is the root itself.
            if let ([only], true) = (self.open[usize::from(level) - 1].as_slice(), top && level > 1)
            {
                return Ok(Root { id: only.chunks[0], rows: only.rows, bytes: only.bytes });
            }
            if !self.open[usize::from(level) - 1].is_empty() || level == 1 && top {
                self.end_node(level, sink)?;
            }
            level += 1;
        }
    }

    fn end_leaf<S: ChunkSink>(&mut self, sink: &mut S) -> Result<(), BuildError<S::Error>> {
        let last_key = self.last_key.clone().expect("a leaf has a row");
        let (rows, bytes) = (self.leaf.rows(), self.leaf.bytes());
        let mut chunks = Vec::new();
        for (group, chunk) in self.leaf.take(self.layout).into_iter().enumerate() {
            let id = ChunkId::of(&chunk);
            let place = ChunkPosition { level: 0, group, last_key: &last_key };
            sink.put(&place, id, chunk).map_err(BuildError::Sink)?;
            chunks.push(id);
        }
        self.add(1, Entry { last_key, chunks, rows, bytes }, sink)
    }

    /// Adds a child to the open node of this level.
    fn add<S: ChunkSink>(
        &mut self,
        level: u8,
        entry: Entry,
        sink: &mut S,
    ) -> Result<(), BuildError<S::Error>> {
        assert!(level < MAX_LEVEL, "no number of rows needs so many levels");
        if self.open.len() < usize::from(level) {
            self.open.push(Vec::new());
        }
        let open = &mut self.open[usize::from(level) - 1];
        let ends = self.splitter.ends_after(level, open.len() as u64 + 1, &entry.last_key);
        open.push(entry);
        if ends { self.end_node(level, sink) } else { Ok(()) }
    }

    fn end_node<S: ChunkSink>(
        &mut self,
        level: u8,
        sink: &mut S,
    ) -> Result<(), BuildError<S::Error>> {
        let entries = std::mem::take(&mut self.open[usize::from(level) - 1]);
        let node = Node { level, entries };
        let last_key = node.entries.last().map_or_else(Key::new, |entry| entry.last_key.clone());
        let chunk = node.encode();
        let id = ChunkId::of(&chunk);
        sink.put(&ChunkPosition { level, group: 0, last_key: &last_key }, id, chunk)
            .map_err(BuildError::Sink)?;
        let entry = Entry { last_key, chunks: vec![id], rows: node.rows(), bytes: node.bytes() };
        self.add(level + 1, entry, sink)
    }
}
