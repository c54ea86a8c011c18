//! Deletions and cleanups.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::SUCCESS;
use super::describe::describe;
use crate::engine::{self, Freed, Judged};
use crate::model::{BackupId, BackupKind, Reason, Status};

/// The documented answer to a deletion.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deleted {
    /// Always `success`.
    pub status: &'static str,
    /// The same in words.
    pub message: String,
    /// Whether it was only a preview.
    pub dry_run: bool,
    /// What the deletion freed; in a preview, about what it would free.
    pub freed: Freed,
}

/// What a cleanup did, or would do.
#[derive(Debug, Serialize, ToSchema)]
pub struct CleanupReport {
    /// Always `success`.
    pub status: &'static str,
    /// The same in words.
    pub message: String,
    /// Whether it was only a preview.
    pub dry_run: bool,
    /// Backups that go, newest first.
    pub deleted: Vec<Judged>,
    /// Backups that stay, newest first.
    pub kept: Vec<Judged>,
    /// What it freed; in a preview, about what it would free.
    pub freed: Freed,
    /// Of a preview: the bytes that each backup which goes would free. Together they are `freed.bytes`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false, value_type = BTreeMap<String, u64>)]
    pub frees: BTreeMap<BackupId, u64>,
}

impl Deleted {
    /// Says in words what was done.
    #[must_use]
    pub fn message(deleted: &engine::Deleted) -> String {
        let verb = if deleted.dry_run { "would be deleted" } else { "deleted" };
        format!("Backup {} {verb}", deleted.backup_id)
    }
}

impl From<engine::Deleted> for Deleted {
    fn from(deleted: engine::Deleted) -> Self {
        let message = Self::message(&deleted);
        let engine::Deleted { dry_run, freed, .. } = deleted;
        Self { status: SUCCESS, message, dry_run, freed }
    }
}

impl CleanupReport {
    /// Says in words what was done.
    #[must_use]
    pub fn message(report: &engine::CleanupReport) -> String {
        let verb = if report.dry_run { "would go" } else { "deleted" };
        format!("Backups: {} {verb}, {} kept", report.deleted.len(), report.kept.len())
    }
}

impl From<engine::CleanupReport> for CleanupReport {
    fn from(report: engine::CleanupReport) -> Self {
        let message = Self::message(&report);
        let engine::CleanupReport { dry_run, deleted, kept, freed, frees } = report;
        Self { status: SUCCESS, message, dry_run, deleted, kept, freed, frees }
    }
}

describe! {
    /// What a sweep freed.
    struct Freed = engine::Freed {
        /// Bytes that the store has shrunk by.
        bytes: u64,
        /// Bytes that nothing needs, but which stay for a time of grace.
        pending_bytes: u64,
        /// Packs that went.
        packs: u64,
        /// Why not everything that could go went, if so.
        #[schema(required = false)]
        notes: Vec<String>,
    }
}

describe! {
    /// What a cleanup decided about one backup.
    struct Judged = engine::Judged {
        /// The backup.
        backup_id: BackupId,
        /// What people call it.
        description: String,
        /// Why it was made.
        backup_type: BackupKind,
        /// Whether it is known to be damaged.
        status: Status,
        /// Why it stays; empty if it goes.
        kept_because: Vec<Reason>,
        /// Its place in the order of creation: 0 is the newest.
        place: usize,
    }
}
