//! The names of the files of archives and of files of another form.

use crate::model::{BackupId, Profile};

/// The name of the metadata file of a backup.
pub const METADATA: &str = "backup_info.json";
/// What the name of the description of an export begins with; its time follows.
pub const EXPORT_MANIFEST: &str = "export_manifest_";

/// Whether a file of this name may belong to files of another form.
pub fn belongs(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".json") else { return false };
    let ends_in_time =
        |start: &str| stem.strip_prefix(start).is_some_and(|time| time.parse::<BackupId>().is_ok());
    let mut starts = Profile::builtin().datasets.iter().map(|it| format!("{}_export_", it.file));
    name == METADATA || ends_in_time(EXPORT_MANIFEST) || starts.any(|start| ends_in_time(&start))
}
