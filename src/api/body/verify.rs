//! Verifications.

use serde::Serialize;
use utoipa::ToSchema;

use super::SUCCESS;
use super::describe::describe;
use crate::engine::{self, VerifiedBackup};
use crate::model::BackupId;

/// What a verification found.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerifyReport {
    /// `success` if no backup is affected, else `damaged`.
    pub status: &'static str,
    /// Each backup that was verified.
    pub backups: Vec<VerifiedBackup>,
    /// What is wrong in the store but affects no backup. The next cleanup repairs it.
    pub elsewhere: Vec<String>,
    /// Backups that were deleted while this ran.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deleted: Vec<BackupId>,
    /// What to do about what was found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl From<engine::VerifyReport> for VerifyReport {
    fn from(report: engine::VerifyReport) -> Self {
        let status = if report.is_intact() { SUCCESS } else { "damaged" };
        let engine::VerifyReport { backups, elsewhere, deleted, notes } = report;
        Self { status, backups, elsewhere, deleted, notes }
    }
}

describe! {
    /// What a verification found of one backup.
    struct VerifiedBackup = engine::VerifiedBackup {
        /// The backup.
        backup_id: BackupId,
        /// Whether every byte is there and right.
        intact: bool,
        /// Rows that were counted.
        rows: u64,
        /// One sentence for each damage, naming the datasets.
        damage: Vec<String>,
    }
}
