//! The kind of a failure, which decides its exit code and its status code.

use serde::{Deserialize, Serialize};

use crate::engine::EngineError;
use crate::postgres::Trouble;
use crate::store::StoreError;

/// Kind of a failure: decides exit code and status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Anything else.
    Failed,
    /// The request is malformed.
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
    /// The live rows are not those that the preview saw.
    ChangedSincePreview,
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
            Self::ChangedSincePreview => "changed_since_preview",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Busy => "busy",
            Self::Stalled => "stalled",
            Self::Interrupted => "interrupted",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns whether it concerns the caller alone: the service and the database work as they should.
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
            | Self::ChangedSincePreview
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
    /// Returns its kind.
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
            | Self::CopyInside
            | Self::NoDatabase => Kind::MalformedRequest,
            Self::Store(error) | Self::OtherStore { source: error, .. } => kind_of_store(error),
            Self::Database(error) => kind_of_trouble(&error.trouble),
            Self::Damaged { .. } => Kind::Damaged,
            Self::Misfit { .. }
            | Self::TablesMissing { .. }
            | Self::PartsDiffer(_)
            | Self::ForeignProfile(_) => Kind::SchemaMismatch,
            Self::OtherDatabase { .. } => Kind::OtherDatabase,
            Self::ChangedSincePreview(_) => Kind::ChangedSincePreview,
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
