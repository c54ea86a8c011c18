//! Who may read what a store creates, whatever the umask.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

const SETGID: u32 = 0o2000;
const GROUP: u32 = 0o070;

/// The permissions of new files and folders: for the owner alone, or also for the group of the
/// store's folder if that has the set-group-ID bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modes {
    file: u32,
    folder: u32,
}

impl Modes {
    /// For the owner alone.
    pub const PRIVATE: Self = Self { file: 0o600, folder: 0o700 };

    /// Those of a store in this folder.
    pub fn of(store: &Path) -> io::Result<Self> {
        let mode = fs::metadata(store)?.mode();
        if mode & SETGID == 0 {
            return Ok(Self::PRIVATE);
        }
        let group = mode & GROUP;
        Ok(Self { file: 0o600 | group & 0o060, folder: SETGID | 0o700 | group })
    }

    /// Those of files.
    pub fn of_files(self) -> Permissions {
        Permissions::from_mode(self.file)
    }

    /// Creates a file for reading and writing that must not be there yet.
    pub fn create_new(self, path: &Path) -> io::Result<File> {
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).mode(self.file).open(path)?;
        // The umask may have taken bits away.
        if file.metadata()?.mode() & 0o777 != self.file {
            file.set_permissions(self.of_files())?;
        }
        Ok(file)
    }

    /// Creates a folder whose parent is there.
    pub fn create_folder(self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(self.folder & 0o777).create(path)?;
        // Changing the mode clears the inherited set-group-ID bit for an account outside of the group.
        if fs::metadata(path)?.mode() & 0o7777 != self.folder {
            fs::set_permissions(path, Permissions::from_mode(self.folder))?;
        }
        Ok(())
    }
}
