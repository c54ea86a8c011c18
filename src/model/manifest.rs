//! What a backup is on paper: the manifest, which never changes, and the state, which may.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::{
    BackupId, CaptureInfo, ChunkId, Claimed, Dataset, Hash, PerDataset, Profile, ReadPoint,
    RecordedProfile, Schema, Table,
};

/// The version of the store's format that this program writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// What the whole store was made with; in `store.json`, and as [`StoreFacts`] in each manifest.
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

/// What a manifest says of its store, so that a lost `store.json` can be written again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StoreFacts {
    /// As [`Parameters::store_id`].
    pub store_id: String,
    /// As [`Parameters::required_features`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required_features: Vec<String>,
    /// As [`Parameters::leaf_factor`].
    pub leaf_factor: u32,
    /// As [`Parameters::node_factor`].
    pub node_factor: u32,
}

impl From<&Parameters> for StoreFacts {
    fn from(parameters: &Parameters) -> Self {
        let Parameters { store_id, required_features, leaf_factor, node_factor, .. } = parameters;
        Self {
            store_id: store_id.clone(),
            required_features: required_features.clone(),
            leaf_factor: *leaf_factor,
            node_factor: *node_factor,
        }
    }
}

impl From<StoreFacts> for Parameters {
    fn from(facts: StoreFacts) -> Self {
        Self {
            format: FORMAT_VERSION,
            store_id: facts.store_id,
            required_features: facts.required_features,
            leaf_factor: facts.leaf_factor,
            node_factor: facts.node_factor,
        }
    }
}

/// Why a backup was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackupKind {
    /// Somebody, or a schedule, asked for it.
    #[default]
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
    pub files: PerDataset<String>,
    /// Rows, bytes and root hash of each dataset.
    pub datasets: PerDataset<DatasetSummary>,
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
    /// How many backups the store had ever been given, this one included: stable and unique in it.
    /// None in what earlier programs wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Whether it was imported, so that its number does not tell when it was made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub imported: bool,
    /// What `store.json` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreFacts>,
    /// Rows beside the datasets that the restore removed which this backup was made for; its undo
    /// brings them back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<RemovedRows>,
    /// The profile that it was made with.
    #[serde(default, skip_serializing_if = "RecordedProfile::is_implied")]
    pub profile: RecordedProfile,
    /// The names of the parts that it does not cover: its source has no rows of them. A restore leaves
    /// their live rows alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_covered: Vec<String>,
    /// The files of another form that it was imported from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Whether the program made it by itself since something had changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub automatic: bool,
    /// How its rows were read. Older backups do not say, and imported ones were not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<CaptureInfo>,
}

/// Files of another form that became a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The name by which their maker knows them: a time in some time zone.
    pub name: String,
    /// The SHA-256 of their names and contents.
    pub digest: Hash,
}

/// Rows of a table that is not backed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedRows {
    /// The tree that holds them.
    #[serde(flatten)]
    pub part: PartManifest,
    /// The table as it was.
    pub schema: Table,
}

/// A dataset in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetSummary {
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
    pub root: ChunkId,
    pub rows: u64,
    /// Bytes of these rows as COPY text, line ends included.
    pub bytes: u64,
}

/// What identifies a snapshot of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotInfo {
    /// The database's name.
    pub database: String,
    /// `server_version`.
    pub server_version: String,
    /// `pg_control_system()`'s identifier, where the role may read it.
    pub system_identifier: Option<String>,
    /// The server's host and port as connected, `[local]` for a socket. Older backups do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The database's oid in its cluster. Older backups do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_oid: Option<u32>,
    /// `pg_current_snapshot()`.
    pub visible: String,
    /// The WAL position, where the server tells it.
    pub wal_position: Option<String>,
    /// The database's clock at the start of the transaction, as `timestamptz` text in UTC.
    pub taken_at: String,
    /// The schema's fingerprint.
    pub schema_fingerprint: Hash,
    /// Where in the server's history it was taken, if later changes can be told by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<ReadPoint>,
}

/// The value that a sequence hands out next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceValue {
    /// The sequence's name; with its schema where that is not the table's.
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
    /// Bytes of each dataset's file, by the name of the dataset, once they were measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_sizes: Option<BTreeMap<String, u64>>,
    /// What a later program wrote; kept as it is.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

/// How a verification ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// When it ended, RFC 3339.
    pub verified_at: String,
    /// One sentence for each damage found; empty if the backup is whole.
    pub damage: Vec<String>,
}

/// Whether a backup can be trusted, as far as is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Made whole, and no damage found since.
    #[default]
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
        self.trees().find(|part| part.name == name)
    }

    /// Every tree that this backup needs.
    pub fn trees(&self) -> impl Iterator<Item = &PartManifest> {
        self.parts.iter().chain(self.removed.iter().map(|removed| &removed.part))
    }

    /// The table with this name, as it was.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        let mut removed = self.removed.iter().map(|removed| &removed.schema);
        self.schema.table(name).or_else(|| removed.find(|table| table.name == name))
    }

    /// The profile that it was made with.
    ///
    /// # Panics
    /// If it was not read; [`Self::check`] refuses such a manifest.
    #[must_use]
    pub fn profile(&self) -> &Arc<Profile> {
        self.profile.get().expect("a manifest is checked when it is read")
    }

    /// The datasets of its profile, and what else this backup holds.
    #[must_use]
    pub fn all_datasets(&self) -> Vec<Dataset> {
        let removed = self.removed.iter().map(|removed| removed.part.dataset.clone());
        self.profile().dataset_names().chain(removed).collect()
    }

    /// The name of the file of a dataset that [it may hold](Profile::any_dataset).
    #[must_use]
    pub fn file_name(&self, dataset: &Dataset) -> String {
        let name = self.profile().file_name(dataset, &self.backup_id);
        name.expect("a dataset of the profile")
    }

    /// Takes on an id and a number.
    pub fn name(&mut self, Claimed { id, number }: Claimed) {
        self.files = self.profile().file_names(&id);
        self.backup_id = id;
        self.number = Some(number);
    }

    /// Notes that no backup is to be based on another one if this one found that changes told wrong. Once
    /// it has its id.
    pub fn stop_if_mismatched(&mut self) {
        let id = self.backup_id.clone();
        if let Some(capture) = self.capture.as_mut().filter(|capture| !capture.mismatch.is_empty())
        {
            capture.stopped_by = Some(id);
        }
    }

    /// Returns what tells this backup from any other, wherever it lies: the same for the backup that
    /// is made of its archive.
    #[must_use]
    pub fn identity(&self) -> u64 {
        let snapshot = &self.snapshot;
        let system = snapshot.system_identifier.as_deref().unwrap_or_default();
        let facts = [
            self.created_at.as_str(),
            &self.description,
            &self.created_by,
            &snapshot.database,
            system,
            &snapshot.taken_at,
        ];
        let hash = Hash::of(facts.join("\n").as_bytes());
        u64::from_be_bytes(*hash.0.first_chunk().expect("a hash has 32 bytes"))
    }

    /// The instant of `created_at`.
    #[must_use]
    pub fn instant(&self) -> DateTime<Utc> {
        let parsed = DateTime::parse_from_rfc3339(&self.created_at);
        parsed.map_or_else(|_| self.backup_id.second(), |time| time.to_utc())
    }
}
