//! Errors of the use cases: `kind.rs` decides exit and status codes, `hint.rs` says what to do.

mod hint;
mod kind;

pub use kind::Kind;

use crate::engine::Phase;
use crate::model::{BackupId, Dataset, MalformedId, MissingTable, Profile, Table, UnknownDataset};
use crate::postgres::{DatabaseError, Trouble, server_words};
use crate::store::{StoreError, TransferError};
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
    /// The source of the backup did not have this dataset.
    #[error(
        "backup {id} does not cover the dataset {dataset}: it was imported from files that do not have it; name \
         another dataset or another backup"
    )]
    NotCovered { id: BackupId, dataset: Dataset },
    /// The backup's profile has no such scope.
    #[error("the profile of the backup has no scope {0:?}")]
    UnknownScope(String),
    /// Neither the backup nor the database has the row that others are to belong to.
    #[error("there is no {label} {value:?}, neither in the backup nor in the database")]
    NotInScope {
        /// The name that people use for such a row.
        label: String,
        /// Its key.
        value: String,
    },
    /// The backup was made with a profile whose SQL conditions this program does not know.
    #[error("the backup was made with another profile, {0:?}, which this program was not given")]
    ForeignProfile(String),
    /// The text is no backed-up table.
    #[error("no table is named {table:?}; they are {known}")]
    UnknownTable {
        /// The text that was given.
        table: String,
        /// The tables.
        known: String,
    },
    /// The text is no key of the table.
    #[error("not a key of {table}: {key:?} (its key is {columns})")]
    MalformedKey {
        table: String,
        /// The text that was given.
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
        /// The phase of the run.
        phase: Phase,
        /// Time without progress.
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
        /// The side that the rows are of.
        from: String,
        /// The side with the tables that they do not fit.
        to: String,
        /// One sentence for each difference.
        differences: Vec<String>,
        /// They are columns alone that a row need not have a value for.
        allowable: bool,
    },
    /// The backup is not one of this database.
    #[error("backup {id} is not of this database: {why}")]
    OtherDatabase {
        id: BackupId,
        /// The difference between the two.
        why: String,
    },
    /// The live rows are not those that the preview saw.
    #[error("the live rows have changed since the preview of backup {0}; nothing was restored")]
    ChangedSincePreview(BackupId),
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
        /// The fault of its rows.
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
    /// A copy is to go into a place inside the store, or around it.
    #[error("one of the two stores would lie inside the other; name another place")]
    CopyInside,
    /// The store that is copied into failed.
    #[error("the other store, {place}")]
    OtherStore {
        /// Where it is, without secrets.
        place: String,
        /// Why it failed.
        source: StoreError,
    },
    /// Some backups could not be copied; a sentence for each.
    #[error("{} could not be copied: {}", if .0.len() == 1 { "a backup" } else { "some backups" }, .0.join("; "))]
    NotCopied(Vec<String>),
    /// The archive is none, is not whole, or does not hold what it says.
    #[error("the archive cannot be imported: {0}")]
    MalformedArchive(String),
    /// A file or a stream failed.
    #[error("cannot {doing}")]
    Io {
        /// The activity that failed.
        doing: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Ended by its owner.
    #[error("interrupted; nothing was changed")]
    Interrupted,
}

impl EngineError {
    /// That this profile has no such table.
    #[must_use]
    pub fn unknown_table(profile: &Profile, table: &str) -> Self {
        let known = profile.table_names().collect::<Vec<_>>().join(", ");
        Self::UnknownTable { table: table.chars().take(80).collect(), known }
    }

    /// Returns whether no database was named, or in a way that makes no sense.
    #[must_use]
    pub fn is_about_the_address(&self) -> bool {
        let malformed = |error: &DatabaseError| matches!(error.trouble, Trouble::Address(_));
        match self {
            Self::NoDatabase => true,
            Self::Database(error) => malformed(error),
            _ => false,
        }
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

    /// Returns the failure of one of the two stores of a copy; the other one is at this place.
    pub(in crate::engine) fn of_transfer(error: TransferError, place: &str) -> Self {
        match error {
            TransferError::Source(error) => Self::Store(error),
            TransferError::Target(source) => Self::OtherStore { place: place.to_owned(), source },
        }
    }

    /// A tree could not be made from the rows of a part.
    pub(in crate::engine) fn building(part: &str, error: BuildError<StoreError>) -> Self {
        match error {
            BuildError::Sink(error) | BuildError::Source(error) => Self::Store(error),
            other => Self::Snapshot { part: part.into(), why: other.to_string() },
        }
    }
}
