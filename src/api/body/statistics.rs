//! The store in numbers, and how its size went.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::SUCCESS;
use super::describe::describe;
use crate::engine::{self, BackupCost};
use crate::model::{BackupId, BackupKind};
use crate::service::observe::sizes;
use crate::service::observe::sizes::Size;
use crate::service::{self, DiskSpace};

/// The store and its disk in numbers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Statistics {
    /// The store.
    #[serde(flatten)]
    pub store: StoreStatistics,
    /// The disk that the store is on; none where the store is no folder.
    pub disk: Option<Disk>,
}

/// The store in numbers.
#[derive(Debug, Serialize, ToSchema)]
pub struct StoreStatistics {
    /// Always `success`.
    pub status: &'static str,
    /// Backups.
    pub backups: usize,
    /// Bytes of the rows of all backups: what they would take as plain copies.
    pub logical_bytes: u64,
    /// Bytes of all different chunks, uncompressed.
    pub unique_bytes: u64,
    /// Bytes of all packs.
    pub stored_bytes: u64,
    /// Different chunks.
    pub chunks: u64,
    /// Packs.
    pub packs: u64,
    /// Logical over unique bytes.
    pub dedup_ratio: f64,
    /// Unique over stored bytes.
    pub compression_ratio: f64,
    /// Logical over stored bytes.
    pub total_ratio: f64,
    /// Each backup, newest first.
    pub costs: Vec<BackupCost>,
    /// What is not counted, with the reason: backups whose manifest cannot be read (what others share
    /// with them seems to be needed by the others alone), and where the tree of one is damaged, what
    /// deleting each would free: while it is there, no space is freed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
}

/// The disk that the store is on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Disk {
    /// Its size, and what is left of it.
    #[serde(flatten)]
    pub space: DiskSpace,
    /// When it will be full if the store goes on growing as it did; none where that cannot be told.
    pub full_in_days: Option<u64>,
}

/// How the store's size went.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sizes {
    /// Always `success`.
    status: &'static str,
    /// Oldest first; one after each job that changed the store. Of what is older than 90 days, the
    /// last of each day.
    sizes: Vec<Size>,
}

impl From<service::Statistics> for Statistics {
    fn from(statistics: service::Statistics) -> Self {
        let service::Statistics { store, disk } = statistics;
        let disk = disk.map(|service::Disk { space, full_in_days }| Disk { space, full_in_days });
        Self { store: store.into(), disk }
    }
}

impl From<engine::StoreStatistics> for StoreStatistics {
    fn from(store: engine::StoreStatistics) -> Self {
        Self {
            status: SUCCESS,
            backups: store.backups,
            logical_bytes: store.logical_bytes,
            unique_bytes: store.unique_bytes,
            stored_bytes: store.stored_bytes,
            chunks: store.chunks,
            packs: store.packs,
            dedup_ratio: store.dedup_ratio,
            compression_ratio: store.compression_ratio,
            total_ratio: store.total_ratio,
            costs: store.costs,
            unreadable: store.unreadable,
        }
    }
}

impl From<Vec<Size>> for Sizes {
    fn from(sizes: Vec<Size>) -> Self {
        Self { status: SUCCESS, sizes }
    }
}

describe! {
    /// What one backup costs.
    struct BackupCost = engine::BackupCost {
        /// The backup.
        backup_id: BackupId,
        /// Why it was made.
        backup_type: BackupKind,
        /// Bytes of its rows.
        size: u64,
        /// Stored bytes that it added when it was made.
        added_size: u64,
        /// Stored bytes that nothing else needs: what deleting it would free.
        exclusive_size: u64,
    }
}

describe! {
    /// A disk in numbers.
    struct DiskSpace = service::DiskSpace {
        /// Bytes in all.
        total_bytes: u64,
        /// Bytes that this service can still use.
        available_bytes: u64,
    }
}

describe! {
    /// The store's size at one moment.
    struct Size = sizes::Size {
        /// The moment.
        at: DateTime<Utc>,
        /// Backups.
        backups: usize,
        /// Bytes of all packs.
        stored_bytes: u64,
        /// Bytes of the rows of all backups.
        logical_bytes: u64,
    }
}
