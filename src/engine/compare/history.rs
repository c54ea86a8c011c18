//! History: one row through all backups.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::engine::compare::row_change::{cells_between, is_touch};
use crate::engine::compare::row_finder::RowFinder;
use crate::engine::{CellChange, Engine, EngineError};
use crate::model::{BackupId, ChunkId, Dataset, Manifest, Part, Table};
use crate::store::Reader;
use crate::threads;
use crate::tree::{Key, Layout, Row};

/// One row through all backups.
#[derive(Debug, Clone)]
pub struct History {
    /// The row's table.
    pub table: String,
    /// The row's key, as it was asked for.
    pub key: String,
    /// How many backups were looked at: all that can be read.
    pub backups: usize,
    /// What became of the row, newest first; empty if no backup has it.
    pub versions: Vec<RowVersion>,
    /// Backups that were not looked at since their manifest cannot be read, with the reason.
    pub unreadable: Vec<String>,
}

/// A run of backups in which the row stayed the same, or stayed away.
#[derive(Debug, Clone)]
pub struct RowVersion {
    /// What happened to the row between the backup before and the first of these.
    pub kind: VersionKind,
    /// Whether nothing but the time of the last touch changed.
    pub touched: bool,
    /// The dataset that the row is in; of a removed row, the one that it was in.
    pub dataset: Dataset,
    /// The oldest of these backups.
    pub first: Moment,
    /// The newest of these backups.
    pub last: Moment,
    /// How many backups these are.
    pub backups: usize,
    /// The cells that are not as in the version before: of a row that was not there, all that are
    /// not null. A column that the table did not have yet, or has no longer, counts as null.
    pub cells: Vec<CellChange>,
}

/// What happened to a row between two backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VersionKind {
    /// Nothing that is known: the oldest backup has it already.
    Unchanged,
    /// It came, or came back.
    Added,
    /// It got other values.
    Changed,
    /// It went.
    Removed,
}

/// A backup as a point in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    pub backup_id: BackupId,
    /// When it was made.
    pub at: DateTime<Utc>,
}

/// What of a backup matters for the rows of one table.
struct OfTable {
    moment: Moment,
    /// Whether it does not cover all of the table, so that a row may have been there that it does not have.
    is_silent: bool,
    table: Option<Arc<Table>>,
    roots: Vec<(Arc<Part>, ChunkId)>,
}

/// A row that a backup holds.
struct Held {
    table: Arc<Table>,
    part: Arc<Part>,
    row: Row,
}

impl Engine {
    /// What became of the row of `table` with this key, through all backups. `key` is what
    /// [`RowChange::key`](crate::engine::RowChange::key) shows.
    ///
    /// That no backup has such a row is an answer like any other, and no error: a key that was
    /// mistyped cannot be told from one that was never used, and who asks whether a row was ever
    /// there is well served by "no".
    ///
    /// # Errors
    /// [`EngineError::UnknownTable`]; [`EngineError::MalformedKey`] if the text can be no key of the
    /// table in any backup; if a backup is damaged where the row would be.
    pub async fn history(&self, table: &str, key: &str) -> Result<History, EngineError> {
        if !self.profile.has_table(table) {
            return Err(EngineError::unknown_table(&self.profile, table));
        }
        let (snapshots, unreadable) = self.snapshots(table).await?;
        refuse_what_is_no_key(&snapshots, key)?;
        let reader = self.store.reader().await?;
        let (backups, sought) = (snapshots.len(), key.to_owned());
        let work = move || follow(&reader, &snapshots, &sought);
        let versions = threads::spawn(work).await.expect("following a row does not panic")?;
        let (table, key) = (table.to_owned(), key.to_owned());
        Ok(History { table, key, backups, versions, unreadable })
    }

    /// All backups, oldest first, and what is wrong with those that cannot be read. Those with the same table share what describes it.
    async fn snapshots(&self, table: &str) -> Result<(Vec<OfTable>, Vec<String>), EngineError> {
        let mut before: Option<Arc<Table>> = None;
        let snapshots = self.store.manifests(|manifest| {
            let now = manifest.schema.table(table);
            if now.is_some() && now != before.as_deref() {
                before = now.cloned().map(Arc::new);
            }
            OfTable::of(&manifest, table, now.and(before.clone()))
        });
        Ok(snapshots.await?)
    }
}

impl OfTable {
    fn of(manifest: &Manifest, name: &str, table: Option<Arc<Table>>) -> Self {
        let parts = manifest.parts.iter().filter(|part| part.table == name);
        let roots = parts
            .filter_map(|part| Some((manifest.profile().part(&part.name)?.clone(), part.root)));
        let (backup_id, at) = (manifest.backup_id.clone(), manifest.instant());
        let is_silent = manifest.is_silent_on(name);
        Self { moment: Moment { backup_id, at }, is_silent, table, roots: roots.collect() }
    }
}

/// The key that this text means in this table. Where several columns make the key, the last of
/// them takes whatever is left.
fn key_in(table: &Table, text: &str) -> Option<Key> {
    Layout::from(table).key_of_values(text.splitn(table.key.len(), ", ")).ok()
}

fn refuse_what_is_no_key(snapshots: &[OfTable], key: &str) -> Result<(), EngineError> {
    let mut tables = snapshots.iter().rev().filter_map(|snapshot| snapshot.table.as_deref());
    let Some(newest) = tables.next() else {
        return Ok(());
    };
    if key_in(newest, key).is_some() || tables.any(|table| key_in(table, key).is_some()) {
        return Ok(());
    }
    let column = |column: &crate::model::Column| format!("{} {}", column.name, column.type_name);
    let columns: Vec<_> = newest.columns[..newest.key.len()].iter().map(column).collect();
    Err(EngineError::MalformedKey {
        table: newest.name.clone(),
        key: key.chars().take(80).collect(),
        columns: columns.join(", "),
    })
}

/// Looks the row up in one snapshot after the other; its versions, newest first. Blocks.
fn follow(
    reader: &Reader,
    snapshots: &[OfTable],
    key: &str,
) -> Result<Vec<RowVersion>, EngineError> {
    let mut timeline = Timeline::default();
    for alike in snapshots.chunk_by(|a, b| a.table == b.table) {
        let table = alike[0].table.clone();
        let found = table.and_then(|table| Some((key_in(&table, key)?, table)));
        let Some((key, table)) = found else {
            for snapshot in alike.iter().filter(|it| !it.is_silent) {
                timeline.add(&snapshot.moment, None);
            }
            continue;
        };
        let layout = Layout::from(&*table);
        let mut finder = RowFinder::new(reader, &layout, &key);
        for snapshot in alike {
            let found = finder.find(&snapshot.roots)?;
            if found.is_none() && snapshot.is_silent {
                continue;
            }
            let held = found.map(|(part, row)| Held { table: table.clone(), part, row });
            timeline.add(&snapshot.moment, held);
        }
    }
    timeline.versions.reverse();
    Ok(timeline.versions)
}

/// The versions so far, oldest first.
#[derive(Default)]
struct Timeline {
    versions: Vec<RowVersion>,
    row: Option<Held>,
    begun: bool,
}

impl Timeline {
    /// The next backup has this row, or none.
    fn add(&mut self, moment: &Moment, row: Option<Held>) {
        let before = std::mem::replace(&mut self.row, row);
        let begun = std::mem::replace(&mut self.begun, true);
        let (old, new) = (before.as_ref(), self.row.as_ref());
        let cells = cells_between(old.map(Held::cells), new.map(Held::cells));
        let kind = match (old, new) {
            (Some(old), Some(new)) if cells.is_empty() && old.part == new.part => None,
            (Some(_), Some(_)) => Some(VersionKind::Changed),
            (Some(_), None) => Some(VersionKind::Removed),
            (None, Some(_)) if begun => Some(VersionKind::Added),
            (None, Some(_)) => Some(VersionKind::Unchanged),
            (None, None) => None,
        };
        if let (Some(kind), Some(held)) = (kind, new.or(old)) {
            self.versions.push(RowVersion {
                kind,
                touched: kind == VersionKind::Changed && is_touch(&held.table, &cells),
                dataset: held.part.dataset.clone(),
                first: moment.clone(),
                last: moment.clone(),
                backups: 1,
                cells,
            });
        } else if let Some(version) = self.versions.last_mut() {
            version.last = moment.clone();
            version.backups += 1;
        }
    }
}

impl Held {
    fn cells(&self) -> (&Table, &Row) {
        (&self.table, &self.row)
    }
}
