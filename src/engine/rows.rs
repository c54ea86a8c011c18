//! Changed rows in a form for people and programs: which row, which cells, from what to what.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::{Dataset, Part, Table, VOLATILE_COLUMNS};
use crate::tree::{Change, Row, fields, unescape};

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RowChange {
    /// Its dataset.
    pub dataset: Dataset,
    /// Its table.
    pub table: String,
    /// Its key, the columns joined by a comma.
    pub key: String,
    /// What happened to it.
    pub kind: ChangeKind,
    /// The cells that differ; of an added or removed row all that are not null.
    pub cells: Vec<CellChange>,
}

/// A cell that differs. A value is the text that PostgreSQL writes for it; null is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CellChange {
    /// The column.
    pub column: String,
    /// The value in the first snapshot.
    pub old: Option<String>,
    /// The value in the second snapshot.
    pub new: Option<String>,
}

/// How many rows of a dataset differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct DatasetCounts {
    /// Rows only in the second snapshot.
    pub added: u64,
    /// Rows in both with other values.
    pub changed: u64,
    /// Of the changed ones, those where only the time of the last touch differs.
    pub touched: u64,
    /// Rows only in the first snapshot.
    pub removed: u64,
}

impl DatasetCounts {
    fn rows(&self) -> u64 {
        self.added + self.changed + self.removed
    }

    fn add(&mut self, more: Self) {
        self.added += more.added;
        self.changed += more.changed;
        self.touched += more.touched;
        self.removed += more.removed;
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        (self.added, self.changed, self.removed) == (0, 0, 0)
    }
}

/// Counts changes, and keeps the first of them.
#[derive(Debug)]
pub struct Collected {
    /// The counts.
    pub datasets: BTreeMap<Dataset, DatasetCounts>,
    /// The first changes of each dataset.
    pub changes: Vec<RowChange>,
    /// Whether there are more changes than are kept.
    pub truncated: bool,
    limit: usize,
}

impl Collected {
    /// Keeps at most so many changes of each dataset.
    pub fn new(limit: usize) -> Self {
        let datasets = Dataset::ALL.map(|dataset| (dataset, DatasetCounts::default())).into();
        Self { datasets, changes: Vec::new(), truncated: false, limit }
    }

    /// Takes what another one collected of the changes that come next.
    pub fn append(&mut self, next: Self) {
        self.truncated |= next.truncated;
        let mut room: BTreeMap<_, _> =
            self.datasets.iter().map(|(dataset, counts)| (*dataset, self.room(counts))).collect();
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
            self.datasets.entry(dataset).or_default().add(counts);
        }
    }

    /// How many more changes of a dataset are kept.
    fn room(&self, counts: &DatasetCounts) -> usize {
        self.limit.saturating_sub(usize::try_from(counts.rows()).unwrap_or(usize::MAX))
    }

    /// Takes the next change.
    pub fn take(&mut self, part: &Part, table: &Table, change: &Change) {
        let room = self.room(&self.datasets[&part.dataset]);
        let counts = self.datasets.entry(part.dataset).or_default();
        match (&change.old, &change.new) {
            (Some(old), Some(new)) => {
                counts.changed += 1;
                counts.touched += u64::from(only_touched(table, old, new));
            }
            (None, _) => counts.added += 1,
            (_, None) => counts.removed += 1,
        }
        if room > 0 {
            self.changes.push(RowChange::new(part, table, change));
        } else {
            self.truncated = true;
        }
    }
}

fn only_touched(table: &Table, old: &Row, new: &Row) -> bool {
    let cells = table.column_names().zip(fields(old).zip(fields(new)));
    let mut differing = cells.filter(|(_, (old, new))| old != new);
    differing.all(|(column, _)| VOLATILE_COLUMNS.contains(&column))
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

/// Whether these cells are only those that a mere touch changes.
pub fn is_touch(cells: &[CellChange]) -> bool {
    let volatile = |cell: &CellChange| VOLATILE_COLUMNS.contains(&cell.column.as_str());
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
            dataset: part.dataset,
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
        let mut collected = Collected::new(3);
        collected
            .datasets
            .insert(Dataset::Vrfs, DatasetCounts { added: count, ..Default::default() });
        collected.changes = (0..count.min(3))
            .map(|n| RowChange {
                dataset: Dataset::Vrfs,
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
            let mut all = Collected::new(3);
            counts.map(added).into_iter().for_each(|piece| all.append(piece));
            assert_eq!(all.datasets[&Dataset::Vrfs].added, counts.iter().sum::<u64>());
            assert_eq!((all.changes.len(), all.truncated), (kept, truncated), "{counts:?}");
        }
    }
}
