//! How many rows differ, without the rows: of two leaves with the same keys, only the groups of
//! columns that differ are read.

use super::cursor::Head;
use super::diff::{Diff, Found};
use super::leaf::LeafGroup;
use super::node::Entry;
use super::{ChunkSource, Layout};
use crate::model::RowCounts;

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
    pub fn tally(mut self) -> Result<RowCounts, A::Error> {
        let mut tally = RowCounts::default();
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
                Found::Change(change) => tally += change.counts(self.layout),
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
    fn compare(&self, (old, new): &(Entry, Entry)) -> Result<Option<RowCounts>, A::Error> {
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
        Ok(Some(RowCounts {
            changed: all(|marks| marks.content || marks.volatile),
            touched: all(|marks| marks.volatile && !marks.content),
            ..RowCounts::default()
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
