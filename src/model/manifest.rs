//! What a backup is on paper: the manifest, which never changes, and the state, which may.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BackupId, Dataset, Hash, Schema};

/// The version of the store's format that this program writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// What the whole store was made with; in `store.json`, written once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// The format's version.
    pub format: u32,
    /// A random name, so that two stores can be told apart.
    pub store_id: String,
    /// What a reader must know to read this store; one that it does not know makes it stop.
    #[serde(default)]
    pub required_features: Vec<String>,
    /// The splitter's factor for leaves (see `tree::split`).
    pub leaf_factor: u32,
    /// The splitter's factor for inner nodes.
    pub node_factor: u32,
}

/// Why a backup was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BackupKind {
    /// Somebody, or a schedule, asked for it.
    Full,
    /// A restore kept what it was about to replace.
    PreRestore,
}

/// What a backup holds and where it was taken. Immutable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format's version.
    pub format: u32,
    /// The id, which is also the name of its folder.
    pub backup_id: BackupId,
    /// When the snapshot was taken: UTC, microseconds, no zone.
    pub timestamp: String,
    /// The same instant as RFC 3339 with `Z`.
    pub created_at: String,
    /// The description that it was made with.
    pub description: String,
    /// `system`, or who asked.
    pub created_by: String,
    /// Why it was made.
    pub backup_type: BackupKind,
    /// The names of the four dataset files.
    pub files: BTreeMap<Dataset, String>,
    /// Rows, bytes and root hash of each dataset.
    pub datasets: BTreeMap<Dataset, DatasetSummary>,
    /// One tree for each part of each dataset.
    pub parts: Vec<PartManifest>,
    /// Bytes of all rows.
    pub size: u64,
    /// Bytes that this backup added to the packs.
    pub added_size: u64,
    /// What identifies the snapshot.
    pub snapshot: SnapshotInfo,
    /// Where the sequences stood.
    pub sequences: Vec<SequenceValue>,
    /// The tables as they were.
    pub schema: Schema,
}

/// A dataset in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatasetSummary {
    /// Rows.
    pub rows: u64,
    /// Bytes of these rows as COPY text, line ends included.
    pub bytes: u64,
    /// SHA-256 of the root hashes of its parts, in their order.
    pub root: Hash,
}

/// The tree that holds one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartManifest {
    /// The part's name.
    pub name: String,
    /// The dataset that it belongs to.
    pub dataset: Dataset,
    /// The table that it was read from.
    pub table: String,
    /// The root node's chunk.
    pub root: Hash,
    /// Rows.
    pub rows: u64,
    /// Bytes of these rows as COPY text, line ends included.
    pub bytes: u64,
}

/// What identifies a snapshot of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SnapshotInfo {
    /// The database's name.
    pub database: String,
    /// `server_version`.
    pub server_version: String,
    /// `pg_control_system()`'s identifier, where the role may read it.
    pub system_identifier: Option<String>,
    /// `pg_current_snapshot()`.
    pub visible: String,
    /// The WAL position, where the server tells it.
    pub wal_position: Option<String>,
    /// The database's clock at the start of the transaction, as `timestamptz` text in UTC.
    pub taken_at: String,
    /// The schema's fingerprint.
    pub schema_fingerprint: Hash,
}

/// The value that a sequence hands out next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceValue {
    /// The sequence's name, without its schema.
    pub name: String,
    /// The next value.
    pub next: i64,
}

/// What may change about a backup; in `state.json`. A lost state costs only what it says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// A description given later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Kept by every cleanup.
    #[serde(default)]
    pub pinned: bool,
    /// Free labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Whether it was ever restored with success.
    #[serde(default)]
    pub restore_tested: bool,
    /// When it was last restored, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_restore: Option<String>,
    /// The last verification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
}

/// How a verification ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verification {
    /// When it ended, RFC 3339.
    pub verified_at: String,
    /// One sentence for each damage found; empty if the backup is whole.
    pub damage: Vec<String>,
}

/// Whether a backup can be trusted, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Made whole, and no damage found since.
    Completed,
    /// The last verification found damage.
    Corrupt,
}

impl State {
    /// What the last verification says.
    #[must_use]
    pub fn status(&self) -> Status {
        match &self.verification {
            Some(verification) if !verification.damage.is_empty() => Status::Corrupt,
            _ => Status::Completed,
        }
    }
}

/// The documented form of `timestamp`.
#[must_use]
pub fn timestamp(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

/// RFC 3339 in UTC with microseconds and `Z`.
#[must_use]
pub fn rfc3339(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Micros, true)
}

impl Manifest {
    /// The tree of this part.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&PartManifest> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// The instant of `created_at`.
    #[must_use]
    pub fn instant(&self) -> DateTime<Utc> {
        let parsed = DateTime::parse_from_rfc3339(&self.created_at);
        parsed.map_or_else(|_| self.backup_id.second(), |time| time.to_utc())
    }
}
