//! What a restore is asked for.

use std::time::Duration;

use crate::postgres::Selection;

/// How long it asks for the tables' locks, unless told otherwise.
const TABLES_PATIENCE: Duration = Duration::from_secs(20);

/// What is asked for.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// Which rows; everything by default.
    pub selection: Selection,
    /// Whether the state that is replaced is kept as a backup. It should be.
    pub safety_backup: bool,
    /// Who asks.
    pub created_by: Option<String>,
    /// How long to ask for the tables' locks.
    pub lock_patience: Duration,
    /// Whether the backup may be one of another database.
    pub into_other_database: bool,
    /// Whether columns that were added since the backup may get null or their default in the rows that
    /// come back.
    pub allow_schema_drift: bool,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        Self {
            selection: Selection::default(),
            safety_backup: true,
            created_by: None,
            lock_patience: TABLES_PATIENCE,
            into_other_database: false,
            allow_schema_drift: false,
        }
    }
}
