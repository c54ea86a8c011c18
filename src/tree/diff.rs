//! The rows that differ between two trees of the same layout, in key order.
//!
//! Two cursors walk side by side. Subtrees with the same hash hold the same rows and are passed
//! over unread; whatever else stands there is opened until rows stand beside rows. So the cost
//! follows the change and not the size.

use std::cmp::Ordering;

use super::cursor::{Cursor, Head};
use super::row::{Key, Row};
use super::{ChunkSource, Layout};
use crate::model::ChunkId;

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its key.
    pub key: Key,
    /// The row in the first tree, if it is there.
    pub old: Option<Row>,
    /// The row in the second tree, if it is there.
    pub new: Option<Row>,
}

/// Iterates over the changes that make the second tree out of the first.
#[derive(Debug)]
pub struct Diff<'l, A, B> {
    old: Cursor<'l, A>,
    new: Cursor<'l, B>,
}

enum Step {
    Done,
    SkipBoth,
    Open { old: bool, new: bool },
    Take(Ordering),
}

impl<'l, A, B> Diff<'l, A, B>
where
    A: ChunkSource,
    B: ChunkSource<Error = A::Error>,
{
    /// Compares the tree at `old` with the tree at `new`.
    ///
    /// # Errors
    /// If a root cannot be read.
    pub fn new(
        layout: &'l Layout,
        (old_source, old): (A, &ChunkId),
        (new_source, new): (B, &ChunkId),
    ) -> Result<Self, A::Error> {
        let mut diff = Self {
            old: Cursor::new(old_source, layout, old)?,
            new: Cursor::new(new_source, layout, new)?,
        };
        if old == new {
            diff.old.finish();
            diff.new.finish();
        }
        Ok(diff)
    }

    fn next_step(&self) -> Step {
        match (self.old.head(), self.new.head()) {
            (Head::End, Head::End) => Step::Done,
            (Head::Subtree(a, old), Head::Subtree(b, new)) => {
                if a == b && old.chunks == new.chunks {
                    Step::SkipBoth
                } else {
                    Step::Open { old: a >= b, new: b >= a }
                }
            }
            (Head::Subtree(..), _) => Step::Open { old: true, new: false },
            (_, Head::Subtree(..)) => Step::Open { old: false, new: true },
            (Head::Row(old), Head::Row(new)) => Step::Take(old.cmp(new)),
            (Head::Row(_), Head::End) => Step::Take(Ordering::Less),
            (Head::End, Head::Row(_)) => Step::Take(Ordering::Greater),
        }
    }

    /// Takes the row that comes first, or both; `None` if both are the same.
    fn take(&mut self, order: Ordering) -> Result<Option<Change>, A::Error> {
        let old = if order.is_le() { self.old.take_row()? } else { None };
        let new = if order.is_ge() { self.new.take_row()? } else { None };
        Ok(match (old, new) {
            (Some((_, old)), Some((_, new))) if old == new => None,
            (Some((key, old)), new) => {
                Some(Change { key, old: Some(old), new: new.map(|(_, row)| row) })
            }
            (None, Some((key, new))) => Some(Change { key, old: None, new: Some(new) }),
            (None, None) => None,
        })
    }

    fn next_change(&mut self) -> Result<Option<Change>, A::Error> {
        loop {
            match self.next_step() {
                Step::Done => return Ok(None),
                Step::SkipBoth => {
                    self.old.skip();
                    self.new.skip();
                }
                Step::Open { old, new } => {
                    if old {
                        self.old.open()?;
                    }
                    if new {
                        self.new.open()?;
                    }
                }
                Step::Take(order) => {
                    if let Some(change) = self.take(order)? {
                        return Ok(Some(change));
                    }
                }
            }
        }
    }
}

impl<A, B> Iterator for Diff<'_, A, B>
where
    A: ChunkSource,
    B: ChunkSource<Error = A::Error>,
{
    type Item = Result<Change, A::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_change().transpose()
    }
}
