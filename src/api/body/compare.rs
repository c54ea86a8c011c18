//! Comparisons: which rows differ, in numbers and one by one, and what became of one row.

use serde::Serialize;
use utoipa::ToSchema;

use super::SUCCESS;
use super::describe::describe;
use crate::engine::{self, CellChange, ChangeKind, RowChange, VersionKind};
use crate::model::{BackupId, Dataset, MissingTable, PerDataset, RowCounts, timestamp};

/// What differs.
#[derive(Debug, Serialize, ToSchema)]
pub struct DiffReport {
    /// Always `success`.
    pub status: &'static str,
    /// The first point.
    pub from: String,
    /// The second point.
    pub to: String,
    /// The name under `/api/comparisons` by which all that differs can be searched, for as long as it is
    /// kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    pub comparison_id: Option<String>,
    /// Whether nothing differs, and nothing is left out.
    pub identical: bool,
    /// Tables and columns that only one of the two has, or whose type differs, which are not compared; one
    /// sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// How many rows differ, by dataset.
    #[schema(value_type = BTreeMap<String, RowCounts>)]
    pub datasets: PerDataset<RowCounts>,
    /// The rows that differ, by part and key.
    pub changes: Vec<RowChange>,
    /// Whether there are more changes than are listed.
    pub truncated: bool,
    /// The tables of which this says nothing: neither side has them.
    pub missing_tables: Vec<MissingTable>,
}

/// What a backup changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changes {
    /// Always `success`.
    pub status: &'static str,
    /// The backup.
    pub backup_id: BackupId,
    /// The backup before it; the oldest has none, and all of its rows count as added.
    pub before: Option<BackupId>,
    /// By dataset.
    #[schema(value_type = BTreeMap<String, RowCounts>)]
    pub datasets: PerDataset<RowCounts>,
}

/// One row through all backups.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    /// Always `success`.
    pub status: &'static str,
    /// The row's table.
    pub table: String,
    /// The row's key, as it was asked for.
    pub key: String,
    /// How many backups were looked at: all that can be read.
    pub backups: usize,
    /// What became of the row, newest first; empty if no backup has it.
    pub versions: Vec<RowVersion>,
    /// Backups that were not looked at since their manifest cannot be read, with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
}

/// A run of backups in which the row stayed the same, or stayed away.
#[derive(Debug, Serialize, ToSchema)]
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

/// A backup as a point in time.
#[derive(Debug, Serialize, ToSchema)]
pub struct Moment {
    /// The backup.
    pub backup_id: BackupId,
    /// When it was made: UTC, microseconds, no zone.
    pub timestamp: String,
}

impl From<engine::DiffReport> for DiffReport {
    fn from(report: engine::DiffReport) -> Self {
        Self {
            status: SUCCESS,
            from: report.from.to_string(),
            to: report.to.to_string(),
            comparison_id: report.comparison_id.map(|id| id.to_string()),
            identical: report.identical,
            left_out: report.left_out,
            datasets: report.datasets,
            changes: report.changes,
            truncated: report.truncated,
            missing_tables: report.missing_tables,
        }
    }
}

impl From<engine::Changes> for Changes {
    fn from(changes: engine::Changes) -> Self {
        let engine::Changes { backup_id, before, datasets } = changes;
        Self { status: SUCCESS, backup_id, before, datasets }
    }
}

impl From<engine::History> for History {
    fn from(history: engine::History) -> Self {
        let engine::History { table, key, backups, versions, unreadable } = history;
        let versions = versions.into_iter().map(RowVersion::from).collect();
        Self { status: SUCCESS, table, key, backups, versions, unreadable }
    }
}

impl From<engine::RowVersion> for RowVersion {
    fn from(version: engine::RowVersion) -> Self {
        Self {
            kind: version.kind,
            touched: version.touched,
            dataset: version.dataset,
            first: version.first.into(),
            last: version.last.into(),
            backups: version.backups,
            cells: version.cells,
        }
    }
}

impl From<engine::Moment> for Moment {
    fn from(moment: engine::Moment) -> Self {
        let engine::Moment { backup_id, at } = moment;
        Self { backup_id, timestamp: timestamp(at) }
    }
}

describe! {
    /// What happened to a row between two backups.
    #[schema(rename_all = "lowercase")]
    enum VersionKind = engine::VersionKind { Unchanged, Added, Changed, Removed }
}

describe! {
    /// A row that differs.
    struct RowChange = engine::RowChange {
        /// Its dataset.
        dataset: Dataset,
        /// Its table.
        table: String,
        /// Its key, the columns joined by a comma.
        key: String,
        /// What happened to it.
        kind: ChangeKind,
        /// The cells that differ; of an added or removed row all that are not null.
        cells: Vec<CellChange>,
    }
}

describe! {
    /// What happened to a row.
    #[schema(rename_all = "lowercase")]
    enum ChangeKind = engine::ChangeKind { Added, Changed, Removed }
}

describe! {
    /// A cell that differs. A value is the text that PostgreSQL writes for it; null is null.
    struct CellChange = engine::CellChange {
        /// The column.
        column: String,
        /// The value in the first snapshot.
        old: Option<String>,
        /// The value in the second snapshot.
        new: Option<String>,
    }
}
