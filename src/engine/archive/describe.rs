//! `backup_info.json`: the documented metadata, and what an exact import needs beside it.

use serde::{Deserialize, Serialize};

use crate::engine::BackupInfo;
use crate::model::{Manifest, Parameters, State};

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
    };
    let written = Written { info: BackupInfo::new(manifest, state), archive, manifest };
    let mut text = serde_json::to_vec_pretty(&written).expect("metadata is plain data");
    text.push(b'\n');
    text
}
