//! The folder for temporary files.

use std::io::Write;

use crate::engine::{Engine, EngineError};

impl Engine {
    /// Tries that temporary files can be made and written: sorting and comparing need them.
    ///
    /// # Errors
    /// If they cannot.
    pub fn try_scratch(&self) -> Result<(), EngineError> {
        let tried = tempfile::tempfile().and_then(|mut file| file.write_all(&[0]));
        tried.map_err(|source| {
            let folder = tempfile::env::temp_dir();
            let doing = format!(
                "make temporary files in {}; name a writable folder with --scratch or TMPDIR",
                folder.display()
            );
            EngineError::Io { doing, source }
        })
    }
}
