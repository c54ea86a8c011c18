//! Backups as people and programs see them: the documented metadata, the list, the details.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::engine::archive::FileSizes;
use crate::engine::{Engine, EngineError};
use crate::model::{
    BackupId, BackupKind, CaptureInfo, Dataset, DatasetSummary, Manifest, MissingTable, PerDataset,
    SnapshotInfo, State, Status, Verification,
};
use crate::store::Seen;
use crate::threads::locked;

/// Backups that are read at the same time.
const READS: usize = 16;

/// The metadata of a backup; every key is always there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BackupInfo {
    pub backup_id: BackupId,
    /// UTC without a zone, microseconds.
    pub timestamp: String,
    /// The same instant with `Z`.
    pub created_at: String,
    /// Its number, unique in the store and kept for ever; none if an earlier program made it.
    pub number: Option<u64>,
    /// Its description.
    pub description: String,
    /// `system`, or who asked.
    pub created_by: String,
    /// Why it was made.
    pub backup_type: BackupKind,
    /// Its validity, as far as is known.
    pub status: Status,
    /// It was restored with success.
    pub restore_tested: bool,
    /// Time of its last restore.
    pub last_restore: Option<String>,
    /// The names of its dataset files.
    pub files: PerDataset<String>,
    /// Rows, bytes and root hash of each dataset.
    pub datasets: PerDataset<DatasetSummary>,
    /// Bytes of the rows of all datasets.
    pub size: u64,
    /// Bytes that this backup added to the store.
    pub added_size: u64,
    /// Every cleanup keeps it.
    pub pinned: bool,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
    /// The last verification.
    pub verification: Option<Verification>,
    /// Identity of the snapshot.
    pub snapshot: SnapshotInfo,
    /// The tables that belong to a backup and are not in this one.
    pub missing_tables: Vec<MissingTable>,
    /// Whether the program made it by itself since something had changed.
    #[serde(default)]
    pub automatic: bool,
    /// How its rows were read; none of an imported backup, and of one that an earlier program made.
    #[serde(default)]
    pub capture: Option<CaptureInfo>,
}

/// A backup in the list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The metadata.
    pub info: BackupInfo,
    /// Full days since it was made.
    pub age_days: i64,
}

/// All backups.
#[derive(Debug, Clone, Default)]
pub struct BackupList {
    /// Newest first.
    pub backups: Vec<Listed>,
    /// Backups whose manifest cannot be read, with the reason.
    pub unreadable: Vec<String>,
}

/// One dataset file in the details.
#[derive(Debug, Clone, Serialize)]
pub struct FileInfo {
    pub name: String,
    /// Bytes of the file, if they were measured; else of its rows.
    pub size: u64,
    /// Time when it was made.
    pub modified: String,
    /// Whether `size` is that of the rows, as the file was not measured yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

/// Everything about one backup.
#[derive(Debug, Clone)]
pub struct Details {
    /// The metadata.
    pub info: BackupInfo,
    /// The dataset files.
    pub files: Vec<FileInfo>,
    /// Full days since it was made.
    pub age_days: i64,
}

impl BackupInfo {
    /// The metadata of this backup in this state.
    #[must_use]
    pub fn new(manifest: &Manifest, state: &State) -> Self {
        let missing_tables = manifest.lacking();
        let manifest = manifest.clone();
        let state = state.clone();
        Self {
            status: state.status(),
            description: state.description.unwrap_or(manifest.description),
            backup_id: manifest.backup_id,
            timestamp: manifest.timestamp,
            created_at: manifest.created_at,
            number: manifest.number,
            created_by: manifest.created_by,
            backup_type: manifest.backup_type,
            restore_tested: state.restore_tested,
            last_restore: state.last_restore,
            files: manifest.files,
            datasets: manifest.datasets,
            size: manifest.size,
            added_size: manifest.added_size,
            pinned: state.pinned,
            labels: state.labels,
            verification: state.verification,
            // Where in the server's history it lies is for the next backup alone.
            snapshot: SnapshotInfo { point: None, ..manifest.snapshot },
            missing_tables,
            automatic: manifest.automatic,
            capture: manifest.capture,
        }
    }

    /// Rows in all datasets.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.datasets.values().map(|dataset| dataset.rows).sum()
    }

    /// Returns the instant of `created_at`.
    #[must_use]
    pub fn made(&self) -> DateTime<Utc> {
        let parsed = DateTime::parse_from_rfc3339(&self.created_at);
        parsed.map_or_else(|_| self.backup_id.second(), |time| time.to_utc())
    }

    fn files(&self, sizes: Option<&FileSizes>) -> Vec<FileInfo> {
        let info = |(dataset, name): (&Dataset, &String)| {
            let measured = sizes.and_then(|sizes| sizes.get(dataset.name())).copied();
            let rows = self.datasets.get(dataset).map_or(0, |summary| summary.bytes);
            FileInfo {
                name: name.clone(),
                size: measured.unwrap_or(rows),
                modified: self.timestamp.clone(),
                estimated: measured.is_none(),
            }
        };
        self.files.iter().map(info).collect()
    }
}

fn age_days(manifest: &Manifest, now: DateTime<Utc>) -> i64 {
    (now - manifest.instant()).num_days().max(0)
}

impl Engine {
    /// All backups, newest first. One whose manifest is damaged does not hide the others.
    ///
    /// # Errors
    /// If the store cannot be listed.
    pub async fn list(&self) -> Result<BackupList, EngineError> {
        let (mut backups, mut unreadable) = (Vec::new(), Vec::new());
        let seen = self.store.glance().await?;
        locked(&self.listed).retain(|id, _| seen.iter().any(|seen| seen.id == *id));
        // Collected first: a stream of borrowing futures made on the fly is not known to be `Send`.
        let reads: Vec<_> = seen.iter().rev().map(|seen| self.listed_as(seen)).collect();
        let mut reads = stream::iter(reads).buffered(READS);
        while let Some(read) = reads.next().await {
            match read {
                Ok(info) => {
                    let age_days = (self.now() - info.made()).num_days().max(0);
                    backups.push(Listed { info, age_days });
                }
                // Deleted since it was listed.
                Err(error) if error.kind() == crate::engine::Kind::NoSuchBackup => {}
                Err(error) if error.kind() == crate::engine::Kind::Damaged => {
                    unreadable.push(error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(BackupList { backups, unreadable })
    }

    /// The metadata of a backup; read again only if the listing shows that something has changed.
    async fn listed_as(&self, seen: &Seen) -> Result<BackupInfo, EngineError> {
        if let Some((earlier, info)) = locked(&self.listed).get(&seen.id)
            && seen.is_unchanged(earlier)
        {
            return Ok(info.clone());
        }
        let manifest = self.store.manifest(&seen.id).await?;
        let info = BackupInfo::new(&manifest, &self.store.state_seen(seen).await?);
        if seen.is_unchanged(seen) {
            locked(&self.listed).insert(seen.id.clone(), (seen.clone(), info.clone()));
        }
        Ok(info)
    }

    /// Everything about one backup. The sizes of its files are measured if that takes no longer than
    /// `patience`.
    ///
    /// # Errors
    /// If there is none with this id, or its manifest is damaged.
    pub async fn details(&self, id: &BackupId, patience: Duration) -> Result<Details, EngineError> {
        let (manifest, state) = self.described(id).await?;
        let sizes = self.file_sizes(&manifest, &state, patience).await;
        let info = BackupInfo::new(&manifest, &state);
        let age_days = age_days(&manifest, self.now());
        Ok(Details { files: info.files(sizes.as_ref()), info, age_days })
    }

    pub(in crate::engine) async fn described(
        &self,
        id: &BackupId,
    ) -> Result<(Manifest, State), EngineError> {
        Ok((self.store.manifest(id).await?, self.store.state(id).await?))
    }
}
