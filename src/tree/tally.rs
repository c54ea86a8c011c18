//! How many rows differ, without the rows: of two leaves with the same keys, only the groups of
//! columns that differ are read.

use super::cursor::Head;
use super::diff::{Change, Diff, Found};
use super::leaf::LeafGroup;
use super::node::Entry;
use super::{ChunkSource, Layout};

/// How many rows differ between two trees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows only in the second tree.
    pub added: u64,
    /// Rows in both with other values.
    pub changed: u64,
    /// Of the changed ones, those where only volatile columns differ.
    pub touched: u64,
    /// Rows only in the first tree.
    pub removed: u64,
}

impl Tally {
    /// Counts one change.
    pub fn count(&mut self, change: &Change, layout: &Layout) {
        match (&change.old, &change.new) {
            (Some(old), Some(new)) => {
                self.changed += 1;
                self.touched += u64::from(layout.is_touch(old, new));
            }
            (None, _) => self.added += 1,
            (_, None) => self.removed += 1,
        }
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.added += more.added;
        self.changed += more.changed;
        self.touched += more.touched;
        self.removed += more.removed;
    }
}

/// What is known to differ of a row.
#[derive(Clone, Copy, Default)]
struct Marks {
    content: bool,
    volatile: bool,
}

impl<A, B> Diff<'_, A, B>
where
    A: ChunkSource,
    B: ChunkSource<Error = A::Error>,
{
    /// Counts all changes that were not taken yet.
    ///
    /// # Errors
    /// If a chunk cannot be read.
    pub fn tally(mut self) -> Result<Tally, A::Error> {
        let mut tally = Tally::default();
        loop {
            if let Some(leaves) = self.leaves_ahead()
                && let Some(found) = self.compare(&leaves)?
            {
                tally += found;
                self.old.skip();
                self.new.skip();
                continue;
            }
            match self.step()? {
                Found::End => return Ok(tally),
                Found::Nothing => {}
                Found::Change(change) => tally.count(&change, self.layout),
            }
        }
    }

    /// Two leaves that end at the same key and hold as many rows, if such stand here unopened.
    fn leaves_ahead(&self) -> Option<(Entry, Entry)> {
        let (Head::Subtree(0, old), Head::Subtree(0, new)) = (self.old.head(), self.new.head())
        else {
            return None;
        };
        let alike =
            old.last_key == new.last_key && old.rows == new.rows && old.chunks != new.chunks;
        (alike && !self.range.is_past(&old.last_key)).then(|| (old.clone(), new.clone()))
    }

    /// Counts the rows that differ between two leaves; `None` if their keys are not the same.
    fn compare(&self, (old, new): &(Entry, Entry)) -> Result<Option<Tally>, A::Error> {
        let layout = self.layout;
        let mut rows: Vec<Marks> = Vec::new();
        let count = old.rows;
        let pairs = old.chunks.iter().zip(&new.chunks).zip(layout.groups());
        for ((old, new), columns) in pairs.filter(|((old, new), _)| old != new) {
            let (old, new) = (self.old.group(old)?, self.new.group(new)?);
            let fits =
                |group: &LeafGroup| group.columns() == columns.len() && group.rows() == count;
            if !fits(&old) || !fits(&new) {
                return Ok(None);
            }
            rows.resize_with(old.row_count(), Marks::default);
            if !mark(layout, columns, (&old, &new), &mut rows) {
                return Ok(None);
            }
        }
        let all = |is: fn(&&Marks) -> bool| rows.iter().filter(is).count() as u64;
        Ok(Some(Tally {
            changed: all(|marks| marks.content || marks.volatile),
            touched: all(|marks| marks.volatile && !marks.content),
            ..Tally::default()
        }))
    }
}

/// Marks the rows at which the columns of a group differ; `false` if a key does.
fn mark(
    layout: &Layout,
    columns: &[usize],
    (old, new): (&LeafGroup, &LeafGroup),
    rows: &mut [Marks],
) -> bool {
    for (place, &column) in columns.iter().enumerate() {
        if old.column(place) == new.column(place) {
            continue;
        }
        if column < layout.key_columns() {
            return false;
        }
        let volatile = layout.is_volatile(column);
        for (row, marks) in rows.iter_mut().enumerate() {
            let differs = old.field(place, row) != new.field(place, row);
            marks.volatile |= differs && volatile;
            marks.content |= differs && !volatile;
        }
    }
    true
}
