//! Backups: their metadata, the list, the details.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::SUCCESS;
use super::describe::describe;
use crate::engine::{self, BackupInfo, FileInfo};
use crate::model::{
    self, BackupId, BackupKind, CaptureInfo, CaptureMode, DatasetSummary, MissingTable, PerDataset,
    SnapshotInfo, Status, Verification, timestamp,
};

/// The documented answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct BackupCreated {
    /// Always `success`.
    pub status: &'static str,
    /// The same in words.
    pub message: String,
    /// The new backup's id.
    pub backup_id: BackupId,
    /// Its metadata.
    pub backup_info: BackupInfo,
    /// The older backups that were deleted after it, by the retention rules of the service.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deleted: Vec<BackupId>,
    /// When this was answered.
    pub timestamp: String,
}

/// The new backup.
#[derive(Debug, Serialize, ToSchema)]
pub struct Imported {
    /// Always `success`.
    pub status: &'static str,
    /// The same in words.
    pub message: String,
    /// The backup's id: the archive's, or the next that was free.
    pub backup_id: BackupId,
    /// Its metadata.
    pub backup_info: BackupInfo,
    /// What is worth knowing: another id, what had to be made up. A sentence each.
    pub notes: Vec<String>,
}

/// The documented list.
#[derive(Debug, Serialize, ToSchema)]
pub struct BackupList {
    /// Always `success`.
    pub status: &'static str,
    /// Newest first.
    pub backups: Vec<Listed>,
    /// How many.
    pub count: usize,
    /// Backups whose manifest cannot be read, with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
}

/// A backup in the list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listed {
    /// The metadata.
    #[serde(flatten)]
    pub info: BackupInfo,
    /// Its folder within the store.
    pub backup_path: String,
    /// Full days since it was made.
    pub age_days: i64,
}

/// The documented details.
#[derive(Debug, Serialize, ToSchema)]
pub struct Details {
    /// Always `success`.
    pub status: &'static str,
    /// The metadata and the files.
    pub backup_info: DetailedInfo,
}

/// The metadata with what the details add.
#[derive(Debug, Serialize, ToSchema)]
pub struct DetailedInfo {
    /// The metadata.
    #[serde(flatten)]
    pub info: BackupInfo,
    /// The dataset files.
    pub files_info: Vec<FileInfo>,
    /// Bytes of all files.
    pub total_size: u64,
    /// Full days since it was made.
    pub age_days: i64,
}

/// The backup as it is called now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Annotated {
    /// Always `success`.
    pub status: &'static str,
    /// The same in words.
    pub message: String,
    /// The metadata.
    pub backup_info: BackupInfo,
}

impl From<engine::BackupCreated> for BackupCreated {
    fn from(created: engine::BackupCreated) -> Self {
        let engine::BackupCreated { backup_id, backup_info, at } = created;
        let message = format!("Backup {backup_id} created");
        let (deleted, timestamp) = (Vec::new(), timestamp(at));
        Self { status: SUCCESS, message, backup_id, backup_info, deleted, timestamp }
    }
}

impl BackupCreated {
    /// The same, after which these backups were deleted.
    #[must_use]
    pub fn with_deleted(mut self, deleted: Vec<BackupId>) -> Self {
        if !deleted.is_empty() {
            let ids: Vec<_> = deleted.iter().map(BackupId::as_str).collect();
            self.message += &format!("; deleted {}, which no retention rule keeps", ids.join(", "));
        }
        Self { deleted, ..self }
    }
}

impl Imported {
    /// Says in words what was done.
    #[must_use]
    pub fn message(imported: &engine::Imported) -> String {
        format!("Backup {} imported", imported.backup_id)
    }
}

impl From<engine::Imported> for Imported {
    fn from(imported: engine::Imported) -> Self {
        let message = Self::message(&imported);
        let engine::Imported { backup_id, backup_info, notes } = imported;
        Self { status: SUCCESS, message, backup_id, backup_info, notes }
    }
}

impl From<engine::BackupList> for BackupList {
    fn from(list: engine::BackupList) -> Self {
        let engine::BackupList { backups, unreadable } = list;
        let backups: Vec<_> = backups.into_iter().map(Listed::from).collect();
        Self { status: SUCCESS, count: backups.len(), backups, unreadable }
    }
}

impl From<engine::Listed> for Listed {
    fn from(listed: engine::Listed) -> Self {
        let engine::Listed { info, age_days } = listed;
        Self { backup_path: info.backup_id.to_string(), info, age_days }
    }
}

impl From<engine::Details> for Details {
    fn from(details: engine::Details) -> Self {
        let engine::Details { info, files: files_info, age_days } = details;
        let total_size = files_info.iter().map(|file| file.size).sum();
        let backup_info = DetailedInfo { info, files_info, total_size, age_days };
        Self { status: SUCCESS, backup_info }
    }
}

impl From<BackupInfo> for Annotated {
    fn from(backup_info: BackupInfo) -> Self {
        let message = format!("Backup {} changed", backup_info.backup_id);
        Self { status: SUCCESS, message, backup_info }
    }
}

describe! {
    /// The metadata of a backup; every key is always there.
    struct BackupInfo = engine::BackupInfo {
        /// The id.
        backup_id: BackupId,
        /// UTC without a zone, microseconds.
        timestamp: String,
        /// The same instant with `Z`.
        created_at: String,
        /// Its number, unique in the store and kept for ever; none if an earlier program made it.
        number: Option<u64>,
        /// What people call it.
        description: String,
        /// `system`, or who asked.
        created_by: String,
        /// Why it was made.
        backup_type: BackupKind,
        /// Whether it is whole, as far as is known.
        status: Status,
        /// Whether it was restored with success.
        restore_tested: bool,
        /// When it was last restored.
        last_restore: Option<String>,
        /// The names of its dataset files.
        #[schema(value_type = BTreeMap<String, String>)]
        files: PerDataset<String>,
        /// Rows, bytes and root hash of each dataset.
        #[schema(value_type = BTreeMap<String, DatasetSummary>)]
        datasets: PerDataset<DatasetSummary>,
        /// Bytes of the rows of all datasets.
        size: u64,
        /// Bytes that this backup added to the store.
        added_size: u64,
        /// Whether every cleanup keeps it.
        pinned: bool,
        /// Free labels.
        labels: BTreeMap<String, String>,
        /// The last verification.
        verification: Option<Verification>,
        /// What identifies the snapshot.
        snapshot: SnapshotInfo,
        /// The tables that belong to a backup and are not in this one.
        missing_tables: Vec<MissingTable>,
        /// Whether the program made it by itself since something had changed.
        automatic: bool,
        /// How its rows were read; none of an imported backup, and of one that an earlier program made.
        capture: Option<CaptureInfo>,
    }
}

describe! {
    /// Whether all rows were read, or those that changed since another backup.
    #[schema(rename_all = "snake_case")]
    enum CaptureMode = model::CaptureMode { Full, Changes }
}

describe! {
    /// How the rows of a backup were read.
    struct CaptureInfo = model::CaptureInfo {
        /// Whether all rows were read.
        mode: CaptureMode,
        /// The backup since which the rows changed.
        #[schema(required = false, nullable = false)]
        base: Option<BackupId>,
        /// Why all rows were read.
        #[schema(required = false, nullable = false)]
        reason: Option<String>,
        /// Tables of which all rows were read although the mode is `changes`, and why.
        #[schema(required = false)]
        tables: BTreeMap<String, String>,
        /// Rows whose content was read.
        rows_read: u64,
        /// When all rows were last read, RFC 3339.
        #[schema(required = false, nullable = false)]
        last_full: Option<String>,
        /// What a full read found to be other than the changes since a backup had told, one sentence each.
        #[schema(required = false)]
        mismatch: Vec<String>,
        /// The backup that found a mismatch; no backup is based on another one until a person says so.
        #[schema(required = false, nullable = false)]
        stopped_by: Option<BackupId>,
    }
}

describe! {
    /// One dataset file in the details.
    struct FileInfo = engine::FileInfo {
        /// Its name.
        name: String,
        /// Bytes of the file as it is downloaded, if they were measured; else of its rows.
        size: u64,
        /// When it was made.
        modified: String,
        /// Whether `size` is that of the rows, as the file was not measured yet; left out if it was.
        #[schema(required = false)]
        estimated: bool,
    }
}
