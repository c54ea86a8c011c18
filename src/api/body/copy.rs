//! Copies into another store.

use serde::Serialize;
use utoipa::ToSchema;

use super::SUCCESS;
use crate::engine;

/// What a copy did.
#[derive(Debug, Serialize, ToSchema)]
pub struct CopyReport {
    /// `success`, or `refused` if a backup could not be copied.
    pub status: &'static str,
    /// Backups that were copied, oldest first.
    pub copied: Vec<String>,
    /// Backups that were there already, oldest first.
    pub present: Vec<String>,
    /// Backups that were there, but damaged, and are whole again.
    pub repaired: Vec<String>,
    /// Backups that were deleted there since an earlier copy, and are left out.
    pub deleted: Vec<String>,
    /// Backups that could not be copied.
    pub refused: Vec<NotCopied>,
    /// Chunks that were sent.
    pub new_chunks: u64,
    /// Bytes of the packs that hold them.
    pub stored_bytes: u64,
}

/// A backup that could not be copied.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotCopied {
    /// Its id.
    pub backup_id: String,
    /// Why not.
    pub why: String,
}

impl From<engine::CopyReport> for CopyReport {
    fn from(report: engine::CopyReport) -> Self {
        let names = |ids: Vec<_>| ids.into_iter().map(String::from).collect();
        let refused = report.refused.into_iter();
        let refused: Vec<_> = refused
            .map(|one| NotCopied { backup_id: one.backup_id.into(), why: one.why })
            .collect();
        Self {
            status: if refused.is_empty() { SUCCESS } else { "refused" },
            copied: names(report.copied),
            present: names(report.present),
            repaired: names(report.repaired),
            deleted: names(report.deleted),
            refused,
            new_chunks: report.new_chunks,
            stored_bytes: report.stored_bytes,
        }
    }
}
