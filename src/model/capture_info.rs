//! How the rows of a backup were read: all of them, or those that changed since another backup.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::BackupId;

/// Whether all rows were read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaptureMode {
    /// All rows.
    #[default]
    Full,
    /// The rows that changed since another backup.
    Changes,
}

/// How the rows of a backup were read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureInfo {
    pub mode: CaptureMode,
    /// The backup since which the rows changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BackupId>,
    /// Why all rows were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Tables of which all rows were read although the mode is `changes`, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, String>,
    /// Rows whose content was read.
    pub rows_read: u64,
    /// When all rows were last read, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_full: Option<String>,
    /// What a full read found to be other than the changes since a backup had told, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mismatch: Vec<String>,
    /// The backup that found a mismatch; no backup is based on another one until a person says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<BackupId>,
}

impl CaptureInfo {
    /// All rows, for this reason.
    #[must_use]
    pub fn full(reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::default() }
    }
}
