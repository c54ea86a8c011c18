//! Restores and their previews.

use serde::Serialize;
use utoipa::ToSchema;

use super::SUCCESS;
use super::describe::describe;
use crate::engine::{self, OtherRows, RestoreResults, RowChange};
use crate::model::{BackupId, CaptureMode, MissingTable, PerDataset, Source, rfc3339, timestamp};

/// What a restore would do. Counts are what it would do to the live rows.
#[derive(Debug, Serialize, ToSchema)]
pub struct Preview {
    /// Always `success`.
    pub status: &'static str,
    /// The backup.
    pub backup_id: BackupId,
    /// The live state that this was compared with: a restore with this `fingerprint` replaces no other.
    pub fingerprint: String,
    /// Time at which the live rows were read, RFC 3339.
    pub as_of: String,
    /// The name under `/api/comparisons` by which all changes can be searched, for as long as they are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    pub comparison_id: Option<String>,
    /// Whether only a part was asked for; of the rest this says nothing.
    pub partial: bool,
    /// What would be done, by dataset.
    #[schema(value_type = BTreeMap<String, RestoreResults>)]
    pub datasets: PerDataset<RestoreResults>,
    /// Of the rows to be updated, those of which only the time of the last touch would change.
    pub touched: u64,
    /// What would be done to rows of tables that are not backed up.
    pub other_rows: Vec<OtherRows>,
    /// The rows that would change, from live to what they become.
    pub changes: Vec<RowChange>,
    /// Whether there are more changes than are listed.
    pub truncated: bool,
    /// The tables of which this says nothing: they belong to a backup and are not in this one.
    pub missing_tables: Vec<MissingTable>,
    /// Where the backup was taken.
    pub source: Source,
    /// Where the rows would be written.
    pub target: Source,
    /// Why the target is another database than the source; then a restore must be told that it may.
    pub other_database: Option<String>,
    /// What would not follow the rows by itself, and what cannot be told, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Columns that were added or altered since the backup, and what becomes of them; one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schema_drift: Vec<String>,
}

/// What a restore can be narrowed to.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScopeValues {
    /// Always `success`.
    status: &'static str,
    /// By key.
    values: Vec<ScopeRow>,
}

impl From<Vec<engine::ScopeRow>> for ScopeValues {
    fn from(rows: Vec<engine::ScopeRow>) -> Self {
        let values = rows.into_iter().map(|row| ScopeRow { value: row.value, about: row.about });
        Self { status: SUCCESS, values: values.collect() }
    }
}

/// A row that a restore can be narrowed to.
#[derive(Debug, Serialize, ToSchema)]
struct ScopeRow {
    /// Its key.
    value: String,
    /// What else tells it apart.
    about: String,
}

/// The documented answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Restored {
    /// Always `success`.
    pub status: &'static str,
    /// The same in words.
    pub message: String,
    /// The backup that was restored.
    pub backup_id: BackupId,
    /// What was done.
    pub restore_results: Report,
    /// When this was answered.
    pub timestamp: String,
    /// What did not work although the restore did, and what does not follow the rows by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What a restore did, for the documented answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Report {
    /// By dataset.
    #[serde(flatten)]
    #[schema(value_type = BTreeMap<String, RestoreResults>)]
    pub datasets: PerDataset<RestoreResults>,
    /// What was done to rows of tables that are not backed up.
    pub other_rows: Vec<OtherRows>,
    /// The backup of what was replaced; restoring it is the undo.
    pub safety_backup: Option<BackupId>,
    /// Whether what was read back equals the backup. Nothing is committed otherwise.
    pub proven: bool,
    /// Whether for that all rows were read back, or those that the restore wrote.
    pub read_back: CaptureMode,
    /// Milliseconds for which the tables were locked: the longest time that a writer can have waited.
    pub locked_ms: u64,
    /// Whether only a part was asked for. Then the proof is that what was selected equals the backup, and
    /// that nothing else changed.
    pub partial: bool,
    /// The database whose rows were replaced.
    pub target: Source,
    /// Columns that were added or altered since the backup, and what became of them; one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schema_drift: Vec<String>,
}

impl From<engine::Preview> for Preview {
    fn from(preview: engine::Preview) -> Self {
        Self {
            status: SUCCESS,
            backup_id: preview.backup_id,
            fingerprint: preview.fingerprint.to_string(),
            as_of: rfc3339(preview.as_of),
            comparison_id: preview.comparison_id.map(|id| id.to_string()),
            partial: preview.partial,
            datasets: preview.datasets,
            touched: preview.touched,
            other_rows: preview.other_rows,
            changes: preview.changes,
            truncated: preview.truncated,
            missing_tables: preview.missing_tables,
            source: preview.source,
            target: preview.target,
            other_database: preview.other_database,
            notes: preview.notes,
            schema_drift: preview.schema_drift,
        }
    }
}

impl Restored {
    /// Says in words what was done.
    #[must_use]
    pub fn message(restored: &engine::Restored) -> String {
        format!("Backup {} restored", restored.backup_id)
    }
}

impl From<engine::Restored> for Restored {
    fn from(restored: engine::Restored) -> Self {
        Self {
            status: SUCCESS,
            message: Self::message(&restored),
            backup_id: restored.backup_id,
            restore_results: restored.restore_results.into(),
            timestamp: timestamp(restored.at),
            notes: restored.notes,
        }
    }
}

impl From<engine::Report> for Report {
    fn from(report: engine::Report) -> Self {
        Self {
            datasets: report.datasets,
            other_rows: report.other_rows,
            safety_backup: report.safety_backup,
            proven: report.proven,
            read_back: report.read_back,
            locked_ms: report.locked_ms,
            partial: report.partial,
            target: report.target,
            schema_drift: report.schema_drift,
        }
    }
}

describe! {
    /// Which rows a restore reads back before it commits.
    #[schema(rename_all = "snake_case")]
    enum VerifyResult = engine::VerifyResult { Changed, Full }
}

describe! {
    /// What was done to the live rows of a dataset.
    struct RestoreResults = engine::RestoreResults {
        /// Rows that were missing.
        inserted: u64,
        /// Rows that had other values.
        updated: u64,
        /// Rows that the backup does not have.
        deleted: u64,
        /// Rows that were left as they were.
        unchanged: u64,
    }
}

describe! {
    /// What a restore does to rows of a table that is not backed up.
    struct OtherRows = engine::OtherRows {
        /// The table.
        table: String,
        /// Rows that go: records of requests whose rows are undone. The safety backup keeps them.
        removed: u64,
        /// Rows that come back: an earlier restore removed them, and this one undoes it.
        inserted: u64,
    }
}
