//! Import: an archive becomes the backup that it was made of, proven by its root hashes.

use std::path::Path;

use serde::Serialize;
use tokio::io::AsyncRead;

use crate::engine::{BackupInfo, Engine, EngineError, Run};
use crate::model::BackupId;

/// The new backup.
#[derive(Debug, Clone, Serialize)]
pub struct Imported {
    /// Always `success`.
    pub status: &'static str,
    /// The same in words.
    pub message: String,
    /// The backup's id: the archive's, or the next that was free.
    pub backup_id: BackupId,
    /// Its metadata.
    pub backup_info: BackupInfo,
    /// What is worth knowing: another id, what had to be made up. A sentence each.
    pub notes: Vec<String>,
}

impl Engine {
    /// Makes a backup of an archive that [`Engine::export_archive`] made.
    ///
    /// # Errors
    /// [`EngineError::MalformedArchive`] says what is wrong with it; if the store cannot be written.
    /// The list of backups is then what it was.
    pub async fn import_archive(
        &self,
        archive: impl AsyncRead + Send + Unpin,
        run: &Run,
    ) -> Result<Imported, EngineError> {
        let _ = (archive, run);
        unimplemented!("follows")
    }

    /// Makes a backup of a folder: an unpacked archive, or a backup of the older form, for which the
    /// database is needed.
    ///
    /// # Errors
    /// As [`Engine::import_archive`]; if the folder cannot be read.
    pub async fn import_folder(&self, folder: &Path, run: &Run) -> Result<Imported, EngineError> {
        let _ = (folder, run);
        unimplemented!("follows")
    }
}
