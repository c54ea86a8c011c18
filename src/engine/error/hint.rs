//! Advice on a failure.

use crate::engine::{EngineError, Kind};
use crate::postgres::Trouble;
use crate::store::StoreError;

impl EngineError {
    /// Returns what to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self.kind() {
            Kind::SchemaMismatch if matches!(self, Self::TablesMissing { .. }) => {
                "if it is gone for good, tell one backup so: `ipam-rewind backup \
                 --allow-missing-tables`, or ?allow_missing_tables=true"
            }
            Kind::SchemaMismatch if matches!(self, Self::Misfit { allowable: true, .. }) => {
                "restore with --allow-schema-drift (allow_schema_drift=true): rows that come back get null \
                 or the default in the new columns; or restore the datasets that have none of these \
                 tables"
            }
            Kind::SchemaMismatch if matches!(self, Self::Misfit { .. }) => {
                "restore the datasets that have none of these tables, or alter the tables back"
            }
            Kind::Failed if matches!(self, Self::Store(error) if error.is_read_only()) => {
                "a store that may only be read takes list, details, diff, verify, export, history and \
                 restore --no-safety-backup"
            }
            Kind::Damaged if matches!(self, Self::Store(StoreError::PacksMissing(_))) => {
                "bring the folder `packs` back; or delete these backups; or use another store"
            }
            Kind::Damaged if matches!(self, Self::OtherStore { .. }) => {
                "`ipam-rewind verify --store` with the other store tells what is damaged there"
            }
            Kind::NoSuchBackup => "`ipam-rewind list` shows the backups that there are",
            Kind::Damaged => "`ipam-rewind verify` tells which backups are whole",
            Kind::DatabaseUnreachable => "check --database-url or DATABASE_URL",
            Kind::NotPermitted => {
                "a backup needs a role that may read the tables and sequences, a restore one that owns them"
            }
            Kind::Busy if matches!(self, Self::Database(_)) => "try again when they are done",
            Kind::OtherDatabase => {
                "if the rows of this database are to be replaced by those: --into-other-database, or \
                 ?into_other_database=true"
            }
            Kind::ChangedSincePreview => "look at a new preview, and restore again",
            Kind::Failed if matches!(self, Self::Store(StoreError::NotRemovable { .. })) => {
                "permit the removal (s3:DeleteObject), delete with other credentials, or keep everything \
                 (`serve --keep-all`)"
            }
            Kind::Failed if matches!(self, Self::RowTooLong { .. }) => {
                "shorten the value, or raise the limit with --max-row-size, given in MiB"
            }
            Kind::InTheWay if self.is_about_a_row() => {
                "alter the rule or the type that is named so that it takes the row, restore, and alter it \
                 back (a constraint as NOT VALID); or restore a part that does not need the row"
            }
            Kind::OutcomeUnknown if matches!(self, Self::Store(_)) => {
                "`ipam-rewind list` shows the backup if it is there"
            }
            Kind::OutcomeUnknown => {
                "`ipam-rewind diff ID live` tells whether the rows are those of a backup"
            }
            Kind::Busy => "try again when the other run is over",
            _ => return None,
        })
    }

    /// Returns whether the database does not take a row of the backup.
    fn is_about_a_row(&self) -> bool {
        let Self::Database(error) = self else { return false };
        matches!(error.trouble, Trouble::Forbidden(_) | Trouble::Value(_))
    }
}
