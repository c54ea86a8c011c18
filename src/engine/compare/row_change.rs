//! Changed rows in a form for people and programs: which row, which cells, from what to what.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::engine::Counts;
use crate::model::{Dataset, Part, Profile, RowCounts, Table};
use crate::tree::{Change, ChunkSource, Diff, Layout, Row, fields, unescape};

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It is only in the second snapshot.
    Added,
    /// It is in both, with other values.
    Changed,
    /// It is only in the first snapshot.
    Removed,
}

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowChange {
    pub dataset: Dataset,
    pub table: String,
    /// Its key, the columns joined by a comma.
    pub key: String,
    /// What happened to it.
    pub kind: ChangeKind,
    /// The cells that differ; of an added or removed row all that are not null.
    pub cells: Vec<CellChange>,
}

/// A cell that differs. A value is the text that PostgreSQL writes for it; null is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellChange {
    pub column: String,
    /// The value in the first snapshot.
    pub old: Option<String>,
    /// The value in the second snapshot.
    pub new: Option<String>,
}

/// Counts changes, and keeps the first of them.
#[derive(Debug)]
pub struct Collected {
    pub datasets: Counts,
    /// The first changes of each dataset.
    pub changes: Vec<RowChange>,
    /// Whether there are more changes than are kept.
    pub truncated: bool,
    limit: usize,
}

impl Collected {
    /// Keeps at most so many changes of each dataset.
    pub fn new(profile: &Profile, limit: usize) -> Self {
        let datasets = profile.per_dataset(|_| RowCounts::default());
        Self { datasets, changes: Vec::new(), truncated: false, limit }
    }

    /// Takes what another one collected of the changes that come next.
    pub fn append(&mut self, next: Self) {
        self.truncated |= next.truncated;
        let mut room: HashMap<_, _> =
            self.datasets.keys().map(|dataset| (dataset.clone(), self.room(dataset))).collect();
        for change in next.changes {
            match room.get_mut(&change.dataset) {
                Some(room) if *room > 0 => {
                    *room -= 1;
                    self.changes.push(change);
                }
                _ => self.truncated = true,
            }
        }
        for (dataset, counts) in next.datasets {
            *self.datasets.entry(dataset).or_default() += counts;
        }
    }

    /// How many more changes of a dataset are kept.
    pub fn room(&self, dataset: &Dataset) -> usize {
        let counted = self.datasets[dataset].rows();
        self.limit.saturating_sub(usize::try_from(counted).unwrap_or(usize::MAX))
    }

    /// Takes all changes of a part, as rows while there is room and then as mere numbers.
    pub fn take<A: ChunkSource, B: ChunkSource<Error = A::Error>>(
        &mut self,
        part: &Part,
        table: &Table,
        mut changes: Diff<'_, A, B>,
    ) -> Result<(), A::Error> {
        let layout = Layout::from(table);
        let (mut rows, mut counts) = (Vec::new(), RowCounts::default());
        for change in changes.by_ref().take(self.room(&part.dataset)) {
            let change = change?;
            counts += change.counts(&layout);
            rows.push(RowChange::new(part, table, &change));
        }
        counts += changes.tally()?;
        self.add(part, rows, counts);
        Ok(())
    }

    /// Takes changes of a part: as many as `counts` says, of which `rows` are the first.
    pub fn add(&mut self, part: &Part, rows: Vec<RowChange>, counts: RowCounts) {
        self.truncated |= counts.rows() > rows.len() as u64;
        self.changes.extend(rows);
        *self.datasets.entry(part.dataset.clone()).or_default() += counts;
    }
}

fn text(field: &[u8]) -> Option<String> {
    (field != b"\\N").then(|| String::from_utf8_lossy(&unescape(field)).into_owned())
}

/// The cells that differ between two rows that need not have the same columns, by name: those of
/// the second row's table in its order, then those that only the first has. A column that a table
/// lacks counts as null, and so do all columns of a row that is not there.
pub fn cells_between(old: Option<(&Table, &Row)>, new: Option<(&Table, &Row)>) -> Vec<CellChange> {
    let (mut old, new) = (named_cells(old), named_cells(new));
    let mut cells = Vec::new();
    for (column, new) in new {
        let before = old.iter().position(|(name, _)| *name == column);
        let old = before.and_then(|place| old.remove(place).1);
        cells.push(CellChange { column, old, new });
    }
    cells.extend(old.into_iter().map(|(column, old)| CellChange { column, old, new: None }));
    cells.retain(|cell| cell.old != cell.new);
    cells
}

/// Whether these cells are only those that a mere touch changes in this table.
pub fn is_touch(table: &Table, cells: &[CellChange]) -> bool {
    let volatile = |cell: &CellChange| {
        table.column(&cell.column).is_some_and(|place| table.is_volatile(place))
    };
    !cells.is_empty() && cells.iter().all(volatile)
}

/// A row's cells with their columns, as the table has them and not as they are stored.
fn named_cells(row: Option<(&Table, &Row)>) -> Vec<(String, Option<String>)> {
    let Some((table, row)) = row else {
        return Vec::new();
    };
    let mut cells: Vec<_> = table.columns.iter().zip(fields(row).map(text)).collect();
    cells.sort_by_key(|(column, _)| column.position);
    cells.into_iter().map(|(column, value)| (column.name.clone(), value)).collect()
}

impl RowChange {
    /// This change of a row of this part.
    #[must_use]
    pub fn new(part: &Part, table: &Table, change: &Change) -> Self {
        let kind = match (&change.old, &change.new) {
            (Some(_), Some(_)) => ChangeKind::Changed,
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Removed,
        };
        let (old, new) = (change.old.as_ref(), change.new.as_ref());
        let key = new.or(old).into_iter().flat_map(|row| fields(row)).take(table.key.len());
        Self {
            dataset: part.dataset.clone(),
            table: table.name.clone(),
            key: key.filter_map(text).collect::<Vec<_>>().join(", "),
            kind,
            cells: cells_between(old.map(|row| (table, row)), new.map(|row| (table, row))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some added VRFs, of which at most three are kept.
    fn added(count: u64) -> Collected {
        let mut collected = Collected::new(Profile::builtin(), 3);
        collected.datasets.insert("vrfs".into(), RowCounts { added: count, ..Default::default() });
        collected.changes = (0..count.min(3))
            .map(|n| RowChange {
                dataset: "vrfs".into(),
                table: "vrf".into(),
                key: n.to_string(),
                kind: ChangeKind::Added,
                cells: Vec::new(),
            })
            .collect();
        collected.truncated = count > 3;
        collected
    }

    #[test]
    fn pieces_keep_no_more_together_than_one_alone_would() {
        for (counts, kept, truncated) in [
            ([1, 1, 1], 3, false),
            ([2, 2, 0], 3, true),
            ([4, 1, 0], 3, true),
            ([0, 0, 2], 2, false),
        ] {
            let mut all = Collected::new(Profile::builtin(), 3);
            counts.map(added).into_iter().for_each(|piece| all.append(piece));
            assert_eq!(all.datasets["vrfs"].added, counts.iter().sum::<u64>());
            assert_eq!((all.changes.len(), all.truncated), (kept, truncated), "{counts:?}");
        }
    }
}
