//! The rows that differ between two trees of the same layout, in key order.
//!
//! Two cursors walk side by side. Subtrees with the same hash hold the same rows and are passed
//! over unread; whatever else stands there is opened until rows stand beside rows. So the cost
//! follows the change and not the size. Two leaves with the same keys, as an update in place
//! leaves them, are compared column by column, without making rows of what is the same.

use std::cmp::Ordering;

use super::cursor::{Cursor, Head};
use super::leaf::Leaf;
use super::row::{Key, Row};
use super::{ChunkSource, Layout, Malformed};
use crate::model::{ChunkId, RowCounts};

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub key: Key,
    /// The row in the first tree, if it is there.
    pub old: Option<Row>,
    /// The row in the second tree, if it is there.
    pub new: Option<Row>,
}

impl Change {
    /// This one change as a number.
    #[must_use]
    pub fn counts(&self, layout: &Layout) -> RowCounts {
        let none = RowCounts::default();
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => {
                let touched = u64::from(layout.is_touch(old, new));
                RowCounts { changed: 1, touched, ..none }
            }
            (None, _) => RowCounts { added: 1, ..none },
            (_, None) => RowCounts { removed: 1, ..none },
        }
    }
}

/// A piece of the keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Range {
    /// Keys after this one; from the first if there is none.
    pub after: Option<Key>,
    /// Keys up to and with this one; to the last if there is none.
    pub upto: Option<Key>,
}

impl Range {
    pub(super) fn is_past(&self, key: &Key) -> bool {
        self.upto.as_ref().is_some_and(|upto| key > upto)
    }
}

/// Iterates over the changes that make the second tree out of the first.
#[derive(Debug)]
pub struct Diff<'l, A, B> {
    pub(super) layout: &'l Layout,
    pub(super) old: Cursor<'l, A>,
    pub(super) new: Cursor<'l, B>,
    /// Two leaves with the same keys that were opened together.
    aligned: Option<Aligned>,
    pub(super) range: Range,
}

/// Two leaves with the same keys, and the rows that are still to be told of.
#[derive(Debug)]
struct Aligned {
    id: ChunkId,
    old: Leaf,
    new: Leaf,
    rows: std::vec::IntoIter<usize>,
}

impl Aligned {
    fn next_change(&mut self, layout: &Layout) -> Option<Result<Change, Malformed>> {
        let row = self.rows.next()?;
        let key = self.new.key(row, layout);
        let malformed = |_| Malformed { id: self.id, what: "a leaf with a key that is none" };
        let change =
            |key| Change { key, old: Some(self.old.row(row)), new: Some(self.new.row(row)) };
        Some(key.map(change).map_err(malformed))
    }
}

/// What one step led to.
pub(super) enum Found {
    Change(Change),
    Nothing,
    End,
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
            layout,
            old: Cursor::new(old_source, layout, old)?,
            new: Cursor::new(new_source, layout, new)?,
            aligned: None,
            range: Range::default(),
        };
        if old == new {
            diff.finish();
        }
        Ok(diff)
    }

    /// Leaves no row to come.
    fn finish(&mut self) {
        self.old.finish();
        self.new.finish();
    }

    /// Only the changes of these keys.
    ///
    /// # Errors
    /// If a chunk on the way to the first of them cannot be read.
    pub fn within(mut self, range: Range) -> Result<Self, A::Error> {
        if let Some(after) = &range.after {
            self.old.seek(after)?;
            self.new.seek(after)?;
        }
        self.range = range;
        Ok(self)
    }

    fn next_step(&self) -> Step {
        let within = |head| match head {
            Head::Row(key) if self.range.is_past(key) => Head::End,
            head => head,
        };
        match (within(self.old.head()), within(self.new.head())) {
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

    /// Takes both leaves, if both were just opened and hold the same keys.
    fn align(&mut self) {
        let leaves = (self.old.whole_leaf(), self.new.whole_leaf());
        let (Some(old), Some(new)) = leaves else { return };
        let Some(rows) = old.differing_rows(new, self.layout) else { return };
        let id = new.id();
        let leaves = self.old.take_leaf().zip(self.new.take_leaf());
        self.aligned = leaves.map(|(old, new)| Aligned { id, old, new, rows: rows.into_iter() });
    }

    /// Goes one step on.
    pub(super) fn step(&mut self) -> Result<Found, A::Error> {
        if let Some(aligned) = &mut self.aligned {
            match aligned.next_change(self.layout).transpose()? {
                Some(change) if self.range.is_past(&change.key) => self.finish(),
                Some(change) => return Ok(Found::Change(change)),
                None => {}
            }
            self.aligned = None;
        }
        match self.next_step() {
            Step::Done => return Ok(Found::End),
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
                if old && new {
                    self.align();
                }
            }
            Step::Take(order) => {
                return Ok(self.take(order)?.map_or(Found::Nothing, Found::Change));
            }
        }
        Ok(Found::Nothing)
    }

    fn next_change(&mut self) -> Result<Option<Change>, A::Error> {
        loop {
            match self.step()? {
                Found::Change(change) => return Ok(Some(change)),
                Found::Nothing => {}
                Found::End => return Ok(None),
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
