//! `backup_info.json`: the documented metadata, and what an exact import needs beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::engine::BackupInfo;
use crate::model::{Hash, Manifest, Parameters, Profile, State, check_label, check_seal, seal};
use crate::tree::split::Splitter;

/// The version of the archive's form.
pub const ARCHIVE_FORMAT: u32 = 1;

/// How the archive was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The version of its form.
    pub format: u32,
    /// How the store cuts its trees: the root hashes in the manifest depend on it.
    pub leaf_factor: u32,
    /// As `leaf_factor`, for inner nodes.
    pub node_factor: u32,
    /// The SHA-256 of the manifest as JSON without white space.
    pub manifest_hash: Hash,
}

/// The longest metadata file that is read.
pub const MAX_METADATA: u64 = 4 << 20;
/// The longest description that is taken over. Faces show it with control characters escaped.
const MAX_DESCRIPTION: usize = 10_000;
/// The most labels that are taken over.
const MAX_LABELS: usize = 1_000;

/// What an import needs of the metadata file.
#[derive(Debug, Deserialize)]
pub struct Described {
    /// What people call the backup.
    pub description: String,
    /// Whether every cleanup keeps it.
    #[serde(default)]
    pub pinned: bool,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    archive: Made,
    /// What the backup holds.
    pub manifest: Manifest,
}

impl Described {
    /// Reads a metadata file, and refuses what cannot have been exported, or was with another profile than
    /// this one and the built-in one.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &[u8], profile: &Arc<Profile>) -> Result<Self, String> {
        let object: Map<String, Value> =
            serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let mut described: Self =
            serde_json::from_value(object.clone().into()).map_err(|error| error.to_string())?;
        described.manifest.profile.accept(profile);
        let Made { format, leaf_factor, node_factor, manifest_hash } = described.archive;
        if format != ARCHIVE_FORMAT {
            return Err(format!("it has form {format}, this program knows {ARCHIVE_FORMAT}"));
        }
        if leaf_factor == 0 || node_factor == 0 {
            return Err("a splitter's factor is zero".into());
        }
        if hash(&described.manifest) != manifest_hash {
            return Err("the manifest in it was changed".into());
        }
        described.manifest.check_foreign()?;
        refuse_changed(text, &object, &described.manifest)?;
        let long = described.description.chars().count() > MAX_DESCRIPTION;
        if long || described.labels.len() > MAX_LABELS {
            return Err("its description or its labels are too long".into());
        }
        described.labels.iter().try_for_each(|(key, value)| check_label(key, value))?;
        Ok(described)
    }

    /// How the trees were cut whose roots the manifest names.
    pub fn splitter(&self) -> Splitter {
        let Made { leaf_factor, node_factor, .. } = self.archive;
        Splitter { leaf_factor, node_factor }
    }

    /// The state that the backup begins with here. What was found out about it elsewhere, that it
    /// is whole or was restored, is not known of this store.
    pub fn state(&self) -> State {
        let given_later = self.description != self.manifest.description;
        State {
            description: given_later.then(|| self.description.clone()),
            pinned: self.pinned,
            labels: self.labels.clone(),
            ..State::default()
        }
    }
}

/// Whether this may be the metadata file of an archive.
///
/// # Errors
/// Says why not.
pub fn check_archive_metadata(text: &[u8]) -> Result<(), String> {
    Described::parse(text, Profile::builtin()).map(|_| ())
}

/// Refuses a file that is not what was exported: by its checksum, which earlier programs did not write,
/// and by what it says twice.
fn refuse_changed(
    text: &[u8],
    object: &Map<String, Value>,
    manifest: &Manifest,
) -> Result<(), String> {
    let manifest = serde_json::to_value(manifest).expect("a manifest is plain data");
    let twice =
        ["backup_id", "timestamp", "created_at", "created_by", "backup_type", "datasets", "size"];
    let other = |key: &&&str| object.get(**key).is_some_and(|value| *value != manifest[**key]);
    if let Some(key) = twice.iter().find(other) {
        return Err(format!("its {key} was changed since it was exported"));
    }
    if object.contains_key("checksum") {
        check_seal(text).map_err(|_| "it was changed since it was exported")?;
    }
    Ok(())
}

fn hash(manifest: &Manifest) -> Hash {
    Hash::of(&serde_json::to_vec(manifest).expect("a manifest is plain data"))
}

/// The metadata file's content.
#[derive(Debug, Clone, Serialize)]
struct Written<'m> {
    #[serde(flatten)]
    info: BackupInfo,
    archive: Made,
    manifest: &'m Manifest,
}

/// The metadata file.
pub fn metadata(manifest: &Manifest, state: &State, parameters: &Parameters) -> Vec<u8> {
    let archive = Made {
        format: ARCHIVE_FORMAT,
        leaf_factor: parameters.leaf_factor,
        node_factor: parameters.node_factor,
        manifest_hash: hash(manifest),
    };
    let written = Written { info: BackupInfo::new(manifest, state), archive, manifest };
    seal(&written)
}
