//! Why a use case did not do what it was asked, and what a face is to say of it.

use serde::{Deserialize, Serialize};

use crate::engine::Phase;
use crate::model::{BackupId, Dataset, MalformedId, MissingTable, Profile, Table, UnknownDataset};
use crate::postgres::{DatabaseError, Trouble, server_words};
use crate::store::StoreError;
use crate::tree::BuildError;

/// A use case failed; nothing is half-done.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The text is no id.
    #[error(transparent)]
    MalformedId(#[from] MalformedId),
    /// The text is no dataset.
    #[error(transparent)]
    UnknownDataset(#[from] UnknownDataset),
    /// The backup's profile has no such scope.
    #[error("the profile of the backup has no scope {0:?}")]
    UnknownScope(String),
    /// Neither the backup nor the database has the row that others are to belong to.
    #[error("there is no {label} {value:?}, neither in the backup nor in the database")]
    NotInScope {
        /// What people call such a row.
        label: String,
        /// Its key.
        value: String,
    },
    /// The source of the backup did not have this dataset.
    #[error(
        "backup {id} does not cover the dataset {dataset}: it was imported from files that do not have it; name \
         another dataset or another backup"
    )]
    NotCovered { id: BackupId, dataset: Dataset },
    /// The backup was made with a profile whose SQL conditions this program does not know.
    #[error("the backup was made with another profile, {0:?}, which this program was not given")]
    ForeignProfile(String),
    /// The text is no backed-up table.
    #[error("no table is named {table:?}; they are {known}")]
    UnknownTable {
        /// What was given.
        table: String,
        /// The tables.
        known: String,
    },
    /// The text is no key of the table.
    #[error("not a key of {table}: {key:?} (its key is {columns})")]
    MalformedKey {
        table: String,
        /// What was given.
        key: String,
        /// The key's columns with their types.
        columns: String,
    },
    /// Nothing has moved for a long time.
    #[error(
        "no progress for {seconds} s while {phase}: the database or the store does not answer; nothing \
         was changed, so try again once it does (--stall-timeout sets how long to wait)"
    )]
    Stalled {
        /// What was being done.
        phase: Phase,
        /// How long nothing has moved.
        seconds: u64,
    },
    /// No database URL was given.
    #[error("no database was given; pass --database-url or set DATABASE_URL")]
    NoDatabase,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A verification found damage.
    #[error("backup {id} is damaged: {}", .damage.join("; "))]
    Damaged {
        id: BackupId,
        /// One sentence for each damage.
        damage: Vec<String>,
    },
    /// The rows of one side do not fit into the tables of the other.
    #[error("the tables of {to} are not those of {from}: {}", .differences.join("; "))]
    Misfit {
        /// Whose rows they are.
        from: String,
        /// Whose tables they do not fit.
        to: String,
        /// One sentence for each difference.
        differences: Vec<String>,
        /// Whether they are columns alone that a row need not have a value for.
        allowable: bool,
    },
    /// The backup is not one of this database.
    #[error("backup {id} is not of this database: {why}")]
    OtherDatabase {
        id: BackupId,
        /// What tells the two apart.
        why: String,
    },
    /// The database lacks tables that the backup before has.
    #[error(
        "this backup would lack a table, and the backup before has it ({before}): {}",
        .missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    TablesMissing { missing: Vec<MissingTable>, before: BackupId },
    /// Two snapshots do not hold the same parts, so that they cannot be compared.
    #[error("the two snapshots do not hold the same parts: {0}")]
    PartsDiffer(String),
    /// The rows that the database sent do not make a tree.
    #[error("cannot make a snapshot of {part}: {why}")]
    Snapshot {
        /// The part that was read.
        part: String,
        /// What is wrong with its rows.
        why: String,
    },
    /// A row is larger than a snapshot takes.
    #[error(
        "the row {key} of {table} has {bytes} bytes, most of them in its column {column}; rows of up to \
         {limit} bytes are read"
    )]
    RowTooLong {
        table: String,
        key: String,
        /// Its bytes as COPY text.
        bytes: usize,
        /// The place of its longest column among those of the table.
        place: usize,
        /// That column's name.
        column: String,
        /// The most bytes that a row may have.
        limit: usize,
    },
    /// A row of a backed-up table is none of those that a dataset holds.
    #[error(
        "a row of the table {0} belongs to none of the four datasets, so that no backup would hold \
         it"
    )]
    OutsideDatasets(String),
    /// After the restore the database did not hold what it was to hold; it was rolled back.
    #[error("the proof failed, so nothing was changed: {0}")]
    ProofFailed(String),
    /// A cleanup by these rules would keep none of so many backups.
    #[error(
        "these rules keep none of the {0} backups, so nothing was deleted: keep at least one, or allow an empty \
         store (--allow-empty, allow_empty=true)"
    )]
    NothingLeft(usize),
    /// A description or a label is not what it may be.
    #[error("{0}")]
    MalformedAnnotation(String),
    /// A copy is to go where the store itself is.
    #[error("a store cannot be copied onto itself; name another place")]
    CopyOntoItself,
    /// Some backups could not be copied; a sentence for each.
    #[error("{} could not be copied: {}", if .0.len() == 1 { "a backup" } else { "some backups" }, .0.join("; "))]
    NotCopied(Vec<String>),
    /// The archive is none, is not whole, or does not hold what it says.
    #[error("the archive cannot be imported: {0}")]
    MalformedArchive(String),
    /// A file or a stream failed.
    #[error("cannot {doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Ended by its owner.
    #[error("interrupted; nothing was changed")]
    Interrupted,
}

/// What kind of failure it is: decides exit code and status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Anything else.
    Failed,
    /// What was asked is malformed.
    MalformedRequest,
    /// There is no such backup.
    NoSuchBackup,
    /// A backup or the store is damaged.
    Damaged,
    /// An archive cannot be imported.
    MalformedArchive,
    /// The database's tables do not fit the backup.
    SchemaMismatch,
    /// The database is out of reach.
    DatabaseUnreachable,
    /// The database does not permit it.
    NotPermitted,
    /// Rows that are not backed up, or a constraint, stand in the way.
    InTheWay,
    /// The backup is one of another database.
    OtherDatabase,
    /// The connection was lost during a commit: it may have taken effect or not.
    OutcomeUnknown,
    /// Somebody else is at it.
    Busy,
    /// Nothing has moved for a long time.
    Stalled,
    /// Ended by its owner.
    Interrupted,
    /// Ended by somebody who may end what others asked for.
    Cancelled,
}

impl Kind {
    /// Returns its stable name, for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::MalformedRequest => "malformed_request",
            Self::NoSuchBackup => "no_such_backup",
            Self::Damaged => "damaged",
            Self::MalformedArchive => "malformed_archive",
            Self::SchemaMismatch => "schema_mismatch",
            Self::DatabaseUnreachable => "database_unreachable",
            Self::NotPermitted => "not_permitted",
            Self::InTheWay => "in_the_way",
            Self::OtherDatabase => "other_database",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Busy => "busy",
            Self::Stalled => "stalled",
            Self::Interrupted => "interrupted",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it concerns the caller alone: the service and the database work as they should.
    #[must_use]
    pub fn concerns_the_caller_alone(self) -> bool {
        match self {
            Self::MalformedRequest
            | Self::NoSuchBackup
            | Self::Damaged
            | Self::MalformedArchive
            | Self::SchemaMismatch
            | Self::InTheWay
            | Self::OtherDatabase
            | Self::Busy
            | Self::Cancelled => true,
            Self::Failed
            | Self::DatabaseUnreachable
            | Self::NotPermitted
            | Self::OutcomeUnknown
            | Self::Stalled
            | Self::Interrupted => false,
        }
    }
}

impl EngineError {
    /// That this profile has no such table.
    #[must_use]
    pub fn unknown_table(profile: &Profile, table: &str) -> Self {
        let known = profile.table_names().collect::<Vec<_>>().join(", ");
        Self::UnknownTable { table: table.chars().take(80).collect(), known }
    }

    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::MalformedId(_)
            | Self::UnknownDataset(_)
            | Self::UnknownTable { .. }
            | Self::UnknownScope(_)
            | Self::NotCovered { .. }
            | Self::NotInScope { .. }
            | Self::MalformedKey { .. }
            | Self::MalformedAnnotation(_)
            | Self::NothingLeft(_)
            | Self::CopyOntoItself
            | Self::NoDatabase => Kind::MalformedRequest,
            Self::Store(error) => kind_of_store(error),
            Self::Database(error) => kind_of_trouble(&error.trouble),
            Self::Damaged { .. } => Kind::Damaged,
            Self::Misfit { .. }
            | Self::TablesMissing { .. }
            | Self::PartsDiffer(_)
            | Self::ForeignProfile(_) => Kind::SchemaMismatch,
            Self::OtherDatabase { .. } => Kind::OtherDatabase,
            Self::MalformedArchive(_) => Kind::MalformedArchive,
            Self::Interrupted => Kind::Interrupted,
            Self::Stalled { .. } => Kind::Stalled,
            Self::NotCopied(_)
            | Self::Snapshot { .. }
            | Self::OutsideDatasets(_)
            | Self::RowTooLong { .. }
            | Self::ProofFailed(_)
            | Self::Io { .. } => Kind::Failed,
        }
    }

    /// Whether no database was named, or in a way that makes no sense.
    #[must_use]
    pub fn is_about_the_address(&self) -> bool {
        let malformed = |error: &DatabaseError| matches!(error.trouble, Trouble::Address(_));
        match self {
            Self::NoDatabase => true,
            Self::Database(error) => malformed(error),
            _ => false,
        }
    }

    /// Whether the database does not take a row of the backup.
    fn is_about_a_row(&self) -> bool {
        let Self::Database(error) = self else { return false };
        matches!(error.trouble, Trouble::Forbidden(_) | Trouble::Value(_))
    }

    /// The error and what it came from, outermost first, each in its own words.
    #[must_use]
    pub fn chain(&self) -> Vec<String> {
        let mut words = vec![self.to_string()];
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            let answer = server_words(error);
            // What an answer of the server comes from are the same words again.
            source = if answer.is_some() { None } else { error.source() };
            let text = answer.unwrap_or_else(|| error.to_string());
            let said = words.iter().any(|said| said.contains(&text));
            words.extend((!said).then_some(text));
        }
        words
    }

    /// What one may do about it, where that is known.
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

    /// Returns what is damaged or does not fit, a sentence each.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        match self {
            Self::Damaged { damage, .. } => damage.clone(),
            Self::Misfit { differences, .. } => differences.clone(),
            Self::TablesMissing { missing, .. } => {
                missing.iter().map(ToString::to_string).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The same, with the name of the column of this table in which it is.
    pub(in crate::engine) fn with_column_of(mut self, of: &Table) -> Self {
        if let Self::RowTooLong { place, column, .. } = &mut self {
            of.columns[*place].name.clone_into(column);
        }
        self
    }

    /// A tree could not be made from the rows of a part.
    pub(in crate::engine) fn building(part: &str, error: BuildError<StoreError>) -> Self {
        match error {
            BuildError::Sink(error) | BuildError::Source(error) => Self::Store(error),
            other => Self::Snapshot { part: part.into(), why: other.to_string() },
        }
    }
}

fn kind_of_store(error: &StoreError) -> Kind {
    match error {
        StoreError::MalformedLocation(_) | StoreError::MalformedOptions(_) => {
            Kind::MalformedRequest
        }
        StoreError::NoSuchBackup(_) => Kind::NoSuchBackup,
        StoreError::Busy { .. } => Kind::Busy,
        StoreError::PublishUnknown { .. } => Kind::OutcomeUnknown,
        StoreError::PacksMissing(_)
        | StoreError::ManifestDamaged { .. }
        | StoreError::StateDamaged { .. }
        | StoreError::ChunkMissing(_)
        | StoreError::ChunkDamaged { .. }
        | StoreError::Malformed(_) => Kind::Damaged,
        _ => Kind::Failed,
    }
}

fn kind_of_trouble(trouble: &Trouble) -> Kind {
    match trouble {
        Trouble::Unreachable(_) | Trouble::OtherTarget(_) => Kind::DatabaseUnreachable,
        Trouble::NotPermitted(_) | Trouble::RowsHidden(_) => Kind::NotPermitted,
        Trouble::Address(_) => Kind::MalformedRequest,
        Trouble::Unsuitable(_) => Kind::SchemaMismatch,
        Trouble::ReferredTo(_)
        | Trouble::Forbidden(_)
        | Trouble::Value(_)
        | Trouble::SetsOff(_) => Kind::InTheWay,
        Trouble::Blocked(_) | Trouble::LockTimeout(_) => Kind::Busy,
        Trouble::CommitUnknown(_) => Kind::OutcomeUnknown,
        Trouble::Refused(_) => Kind::Failed,
    }
}
