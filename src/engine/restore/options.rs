//! What a restore is asked for.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::EngineError;
use crate::model::{BackupId, Fingerprint};
use crate::postgres::Selection;

/// How long it asks for the tables' locks, unless told otherwise.
const TABLES_PATIENCE: Duration = Duration::from_secs(20);

/// What is asked for.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct RestoreOptions {
    /// Which rows; everything by default.
    pub selection: Selection,
    /// Whether rows that the backup does not have stay: it adds and updates, and deletes nothing.
    pub merge: bool,
    /// Whether the state that is replaced is kept as a backup. It should be.
    pub safety_backup: bool,
    /// The live state that a preview saw, if the restore must not replace any other.
    pub fingerprint: Option<Fingerprint>,
    /// Who asks.
    pub created_by: Option<String>,
    /// How long to ask for the tables' locks.
    pub lock_patience: Duration,
    /// Whether the backup may be one of another database.
    pub into_other_database: bool,
    /// Whether columns that were added since the backup may get null or their default in the rows that
    /// come back.
    pub allow_schema_drift: bool,
    /// How much is read back before the commit.
    pub verify_result: VerifyResult,
}

/// How the result of a restore is verified before it is committed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyResult {
    /// Every row that the transaction wrote is read back, and all rows are counted; all are read where that
    /// does not tell.
    #[default]
    Changed,
    /// All rows are read back.
    Full,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        Self {
            selection: Selection::default(),
            merge: false,
            safety_backup: true,
            fingerprint: None,
            created_by: None,
            lock_patience: TABLES_PATIENCE,
            into_other_database: false,
            allow_schema_drift: false,
            verify_result: VerifyResult::default(),
        }
    }
}

impl RestoreOptions {
    /// Whether the live rows become exactly those of the backup.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.selection.is_all() && !self.merge
    }

    /// Refuses a live state that is not the one of the preview.
    pub(in crate::engine) fn refuse_other_state(
        &self,
        id: &BackupId,
        live: Fingerprint,
    ) -> Result<(), EngineError> {
        match self.fingerprint {
            Some(seen) if seen != live => Err(EngineError::ChangedSincePreview(id.clone())),
            _ => Ok(()),
        }
    }
}
