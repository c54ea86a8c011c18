//! A place in a tree that moves forward: over whole subtrees, or down into them to the rows.

use super::leaf::{Leaf, LeafGroup};
use super::node::{Entry, Node};
use super::row::{Key, Row};
use super::{ChunkSource, Layout, Malformed};
use crate::model::ChunkId;

/// Reads a tree in key order.
#[derive(Debug)]
pub struct Cursor<'l, S> {
    source: S,
    layout: &'l Layout,
    /// The nodes on the way down, each with the place of the next child. Never exhausted ones.
    nodes: Vec<(Node, usize)>,
    leaf: Option<OpenLeaf>,
}

#[derive(Debug)]
struct OpenLeaf {
    leaf: Leaf,
    next: usize,
    key: Key,
}

/// What stands at the cursor.
#[derive(Debug, PartialEq, Eq)]
pub enum Head<'c> {
    /// Nothing is left.
    End,
    /// A whole subtree of this level (0: a leaf), not yet opened.
    Subtree(u8, &'c Entry),
    /// A row with this key.
    Row(&'c Key),
}

impl<'l, S: ChunkSource> Cursor<'l, S> {
    /// Stands before the first child of the root.
    ///
    /// # Errors
    /// If the root cannot be read.
    pub fn new(source: S, layout: &'l Layout, root: &ChunkId) -> Result<Self, S::Error> {
        let mut cursor = Self { source, layout, nodes: Vec::new(), leaf: None };
        cursor.enter(root, None)?;
        Ok(cursor)
    }

    /// What stands here.
    pub fn head(&self) -> Head<'_> {
        match (&self.leaf, self.nodes.last()) {
            (Some(open), _) => Head::Row(&open.key),
            (None, Some((node, next))) => Head::Subtree(node.level - 1, &node.entries[*next]),
            (None, None) => Head::End,
        }
    }

    /// The last key of the nodes that are open; at the beginning, that of the tree.
    pub(super) fn last_key(&self) -> Option<&Key> {
        let (node, _) = self.nodes.first()?;
        node.entries.last().map(|entry| &entry.last_key)
    }

    /// Moves past the subtree here without opening it.
    pub fn skip(&mut self) {
        debug_assert!(self.leaf.is_none(), "a row is taken, not skipped");
        self.step();
    }

    /// Moves past everything up to this key.
    ///
    /// # Errors
    /// If a chunk on the way cannot be read.
    pub fn seek(&mut self, after: &[u8]) -> Result<(), S::Error> {
        loop {
            match self.head() {
                Head::Subtree(_, entry) if entry.last_key.as_slice() <= after => self.skip(),
                Head::Subtree(..) => self.open()?,
                Head::Row(key) if key.as_slice() <= after => drop(self.take_row()?),
                Head::Row(_) | Head::End => return Ok(()),
            }
        }
    }

    /// Moves to the end.
    pub fn finish(&mut self) {
        self.nodes.clear();
        self.leaf = None;
    }

    /// Opens the subtree here; stands before its first child or row afterwards.
    ///
    /// # Errors
    /// If the subtree's chunks cannot be read or do not fit together.
    pub fn open(&mut self) -> Result<(), S::Error> {
        let Some((node, next)) = self.nodes.last() else {
            return Ok(());
        };
        let (level, entry) = (node.level - 1, node.entries[*next].clone());
        self.step();
        if level > 0 { self.enter(&entry.chunks[0], Some(level)) } else { self.enter_leaf(&entry) }
    }

    /// One group of a leaf, read by itself.
    ///
    /// # Errors
    /// If the chunk cannot be read.
    pub(super) fn group(&self, id: &ChunkId) -> Result<LeafGroup, S::Error> {
        Ok(LeafGroup::parse(id, &self.source.chunk(id)?)?)
    }

    /// The leaf that was just opened, while its first row stands here.
    pub(super) fn whole_leaf(&self) -> Option<&Leaf> {
        self.leaf.as_ref().filter(|open| open.next == 0).map(|open| &open.leaf)
    }

    /// Moves past the open leaf, and gives it away.
    pub(super) fn take_leaf(&mut self) -> Option<Leaf> {
        Some(self.leaf.take()?.leaf)
    }

    /// Takes the row here and moves to the next.
    ///
    /// # Errors
    /// If the next row is malformed.
    pub fn take_row(&mut self) -> Result<Option<(Key, Row)>, S::Error> {
        let Some(open) = &mut self.leaf else {
            return Ok(None);
        };
        let row = open.leaf.row(open.next);
        open.next += 1;
        if open.next == open.leaf.rows() {
            let key = std::mem::take(&mut open.key);
            self.leaf = None;
            return Ok(Some((key, row)));
        }
        let key = key_of(open, self.layout)?;
        if key <= open.key {
            return Err(
                Malformed { id: open.leaf.id(), what: "a leaf whose keys do not ascend" }.into()
            );
        }
        Ok(Some((std::mem::replace(&mut open.key, key), row)))
    }

    /// The next row, however deep it lies.
    ///
    /// # Errors
    /// If a chunk on the way cannot be read.
    pub fn next_row(&mut self) -> Result<Option<(Key, Row)>, S::Error> {
        while let Head::Subtree(..) = self.head() {
            self.open()?;
        }
        self.take_row()
    }

    /// Moves to the next child, leaving nodes that have none.
    fn step(&mut self) {
        if let Some((node, next)) = self.nodes.last_mut() {
            *next += 1;
            if *next == node.entries.len() {
                self.nodes.pop();
            }
        }
    }

    fn enter(&mut self, id: &ChunkId, level: Option<u8>) -> Result<(), S::Error> {
        let node = Node::parse(id, &self.source.chunk(id)?)?;
        if level.is_some_and(|level| level != node.level) {
            return Err(Malformed { id: *id, what: "a node of another level than expected" }.into());
        }
        if !node.entries.is_empty() {
            self.nodes.push((node, 0));
        }
        Ok(())
    }

    fn enter_leaf(&mut self, entry: &Entry) -> Result<(), S::Error> {
        let mut groups = Vec::with_capacity(entry.chunks.len());
        for id in &entry.chunks {
            groups.push(self.group(id)?);
        }
        let leaf = Leaf::new(&entry.chunks[0], groups, self.layout)?;
        let mut open = OpenLeaf { leaf, next: 0, key: Key::new() };
        open.key = key_of(&open, self.layout)?;
        self.leaf = Some(open);
        Ok(())
    }
}

fn key_of(open: &OpenLeaf, layout: &Layout) -> Result<Key, Malformed> {
    let key = open.leaf.key(open.next, layout);
    key.map_err(|_| Malformed { id: open.leaf.id(), what: "a leaf with a key that is none" })
}
