//! One consistent snapshot of the tables: of a backup, or of the live database.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::model::{
    BackupId, BackupKind, CaptureInfo, DatasetSummary, FORMAT_VERSION, Fingerprint, Manifest,
    PartManifest, PerDataset, Profile, RemovedRows, Schema, SequenceValue, SnapshotInfo, rfc3339,
    timestamp,
};
use crate::store::Reader;

/// A snapshot, and what reads its chunks. One that was just captured has no reader yet: its chunks can
/// be read once their writer has finished.
#[derive(Debug, Clone)]
pub struct Snapshot<R = Reader> {
    /// Which tables it has, and how their rows are divided into parts.
    pub profile: Arc<Profile>,
    /// The tables as they were.
    pub schema: Schema,
    /// One tree for each part.
    pub parts: Vec<PartManifest>,
    /// Where the sequences stood.
    pub sequences: Vec<SequenceValue>,
    /// When it was taken, by the clock of the machine that took it.
    pub taken: DateTime<Utc>,
    /// What identifies it.
    pub info: SnapshotInfo,
    /// Rows beside the tables that are kept for an undo.
    pub removed: Vec<RemovedRows>,
    /// The names of the parts that it does not cover, as [`Manifest::not_covered`].
    pub not_covered: Vec<String>,
    /// How its rows were read.
    pub capture: Option<CaptureInfo>,
    /// Reads its chunks.
    pub reader: R,
}

/// What a manifest says beside the snapshot.
#[derive(Debug)]
pub struct Labelled {
    /// What people call it; the documented default if none is given.
    pub description: Option<String>,
    /// Who asked.
    pub created_by: String,
    /// Why it is made.
    pub kind: BackupKind,
    /// Whether the program makes it by itself since something had changed.
    pub automatic: bool,
}

impl Snapshot {
    /// That of a backup, whose chunks this reader reads.
    pub fn of(manifest: Manifest, reader: Reader) -> Self {
        Self {
            profile: manifest.profile().clone(),
            taken: manifest.instant(),
            schema: manifest.schema,
            parts: manifest.parts,
            sequences: manifest.sequences,
            info: manifest.snapshot,
            removed: manifest.removed,
            not_covered: manifest.not_covered,
            capture: manifest.capture,
            reader,
        }
    }

    /// The same with the tables of this schema alone, as that describes them.
    pub fn with_tables_of(mut self, schema: &Schema) -> Self {
        self.parts.retain(|part| schema.table(&part.table).is_some());
        self.schema = schema.clone();
        self
    }
}

impl Snapshot<()> {
    /// The same, once this reader reads its chunks.
    pub fn readable(self, reader: Reader) -> Snapshot {
        Snapshot {
            profile: self.profile,
            schema: self.schema,
            parts: self.parts,
            sequences: self.sequences,
            taken: self.taken,
            info: self.info,
            removed: self.removed,
            not_covered: self.not_covered,
            capture: self.capture,
            reader,
        }
    }
}

impl<R> Snapshot<R> {
    /// The fingerprint of its tables and of the rows in them.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut text = self.schema.fingerprint().0.to_vec();
        for part in &self.parts {
            text.extend(part.name.as_bytes());
            text.extend(part.root.0);
        }
        Fingerprint::of(&text)
    }

    /// The tree of this part.
    pub fn part(&self, name: &str) -> Option<&PartManifest> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// The same without these parts, as one that does not cover them.
    pub fn not_covering(mut self, parts: &[String]) -> Self {
        for part in parts {
            if !self.not_covered.contains(part) {
                self.not_covered.push(part.clone());
            }
        }
        self.parts.retain(|part| !self.not_covered.contains(&part.name));
        self.schema = self.schema.covered(&self.profile, &self.not_covered);
        let fed: Vec<_> = self.schema.tables.iter().flat_map(|table| &table.sequences).collect();
        self.sequences.retain(|sequence| fed.contains(&&sequence.name));
        self
    }

    /// The manifest of a backup of this snapshot.
    pub fn manifest(&self, id: BackupId, label: &Labelled, added_size: u64) -> Manifest {
        let default = || format!("Backup created on {}", self.taken.format("%Y-%m-%d %H:%M:%S"));
        Manifest {
            format: FORMAT_VERSION,
            timestamp: timestamp(self.taken),
            created_at: rfc3339(self.taken),
            description: label.description.clone().unwrap_or_else(default),
            created_by: label.created_by.clone(),
            backup_type: label.kind,
            files: self.profile.file_names(&id),
            backup_id: id,
            datasets: self.datasets(),
            parts: self.parts.clone(),
            size: self.parts.iter().map(|part| part.bytes).sum(),
            added_size,
            snapshot: self.info.clone(),
            sequences: self.sequences.clone(),
            schema: self.schema.clone(),
            number: None,
            imported: false,
            store: None,
            removed: self.removed.clone(),
            profile: (&self.profile).into(),
            not_covered: self.not_covered.clone(),
            origin: None,
            automatic: label.automatic,
            capture: self.capture.clone(),
        }
    }

    fn datasets(&self) -> PerDataset<DatasetSummary> {
        self.profile.per_dataset(|dataset| {
            let parts = self.parts.iter().filter(|part| part.dataset == *dataset);
            DatasetSummary::of(parts).expect("what a database holds can be counted")
        })
    }
}
