//! Ids and small values of the model.

use super::describe::describe;
use crate::model::{self, Hash};
use crate::service::jobs;

describe! {
    /// `YYYYMMDD_HHMMSS` in UTC. Only a well-formed id can be held, so it may become part of a path.
    #[schema(pattern = r"^\d{8}_\d{6}$", example = "20250920_143022")]
    text BackupId = model::BackupId
}

describe! {
    /// The name of a job.
    #[schema(format = Uuid)]
    text JobId = jobs::JobId
}

describe! {
    /// A SHA-256 value; written as 64 lower-case hexadecimal digits.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    text Hash = model::Hash
}

describe! {
    /// The name of a dataset.
    #[schema(pattern = "^[a-z][a-z0-9_]*$", example = "vrfs")]
    text Dataset = model::Dataset
}

describe! {
    /// Why a backup was made.
    #[schema(rename_all = "kebab-case")]
    enum BackupKind = model::BackupKind { Full, PreRestore }
}

describe! {
    /// Whether a backup can be trusted, as far as is known.
    #[schema(rename_all = "lowercase")]
    enum Status = model::Status { Completed, Corrupt }
}

describe! {
    /// Why a backup is kept.
    #[schema(rename_all = "kebab-case")]
    enum Reason = model::Reason {
        Pinned, Last, Hourly, Daily, Weekly, Monthly, Yearly, Within, PreRestore, NewestGood,
        Undo, StateUnreadable,
    }
}

describe! {
    /// A dataset in numbers.
    struct DatasetSummary = model::DatasetSummary {
        /// Rows.
        rows: u64,
        /// Bytes of these rows as COPY text, line ends included.
        bytes: u64,
        /// SHA-256 of the root hashes of its parts, in their order.
        root: Hash,
    }
}

describe! {
    /// How many rows differ between two snapshots.
    struct RowCounts = model::RowCounts {
        /// Rows only in the second snapshot.
        added: u64,
        /// Rows in both with other values.
        changed: u64,
        /// Of the changed ones, those where only the time of the last touch differs.
        touched: u64,
        /// Rows only in the first snapshot.
        removed: u64,
    }
}

describe! {
    /// A table that belongs to a backup, but is not in this one.
    struct MissingTable = model::MissingTable {
        /// Its name.
        table: String,
        /// Why not.
        reason: String,
    }
}

describe! {
    /// How a verification ended.
    struct Verification = model::Verification {
        /// When it ended, RFC 3339.
        verified_at: String,
        /// One sentence for each damage found; empty if the backup is whole.
        damage: Vec<String>,
    }
}

describe! {
    /// A database, as far as its server tells.
    struct Source = model::Source {
        /// The database's name.
        database: String,
        /// The server's host and port as connected, `[local]` for a socket. Older backups do not say.
        server: Option<String>,
        /// The cluster's identifier, where the role may read it.
        system_identifier: Option<String>,
    } without database_oid
}

describe! {
    /// What identifies a snapshot of a database.
    struct SnapshotInfo = model::SnapshotInfo {
        /// The database's name.
        database: String,
        /// `server_version`.
        server_version: String,
        /// `pg_control_system()`'s identifier, where the role may read it.
        system_identifier: Option<String>,
        /// The server's host and port as connected, `[local]` for a socket. Older backups do not say.
        #[schema(required = false, nullable = false)]
        server: Option<String>,
        /// The database's oid in its cluster. Older backups do not say.
        #[schema(required = false, nullable = false)]
        database_oid: Option<u32>,
        /// `pg_current_snapshot()`.
        visible: String,
        /// The WAL position, where the server tells it.
        wal_position: Option<String>,
        /// The database's clock at the start of the transaction, as `timestamptz` text in UTC.
        taken_at: String,
        /// The schema's fingerprint.
        schema_fingerprint: Hash,
    } without point
}
