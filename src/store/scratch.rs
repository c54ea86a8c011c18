//! A folder for what is needed only while one process runs; those of killed processes are removed
//! by the next that makes one.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::TempDir;

const PREFIX: &str = "ipam-rewind-scratch-";
/// Somebody who tidies may take a new folder for an old one before it is locked, but not this often.
const TRIES: usize = 10;

/// Goes with this value, and its content with it.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    /// Says that the folder's process lives.
    _lock: File,
}

impl Scratch {
    /// Makes a new folder below `parent`.
    pub fn below(parent: &Path) -> io::Result<Self> {
        tidy(parent);
        for _ in 1..TRIES {
            match Self::make(parent) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => return done,
            }
        }
        Self::make(parent)
    }

    fn make(parent: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let lock = File::open(folder.path())?;
        lock.lock()?;
        // It may have been removed before the lock was ours.
        folder.path().metadata()?;
        Ok(Self { folder, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the folders that nobody holds. What cannot be removed is left to whoever can.
fn tidy(parent: &Path) {
    let folders = fs::read_dir(parent).into_iter().flatten().flatten();
    for folder in folders {
        let ours = folder.file_name().to_string_lossy().starts_with(PREFIX)
            && folder.file_type().is_ok_and(|kind| kind.is_dir());
        if !ours {
            continue;
        }
        let Ok(lock) = File::open(folder.path()) else {
            continue;
        };
        if lock.try_lock().is_ok() {
            let _ = fs::remove_dir_all(folder.path());
        }
    }
}
