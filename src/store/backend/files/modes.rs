//! Permissions of the files that a store creates, whatever the umask.

use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown,
};
use std::path::Path;

use nix::unistd::{Gid, getegid, geteuid, getgroups};

const SETGID: u32 = 0o2000;
const GROUP: u32 = 0o070;
const GROUP_WRITES: u32 = 0o020;
const PERMISSIONS: u32 = 0o7777;

/// The permissions of new files and folders: for the owner alone, or also for the group of the folder that
/// they belong to.
///
/// The group shares a folder that has the set-group-ID bit (`fsGroup` of Kubernetes), and one that belongs
/// to another account and is writable by the group (group 0 of OpenShift).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modes {
    file: u32,
    folder: u32,
    /// The group, where the folder does not pass it on.
    group: Option<u32>,
}

impl Modes {
    /// For the owner alone.
    pub const PRIVATE: Self = Self { file: 0o600, folder: 0o700, group: None };

    /// Those of what is in this folder.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let meta = fs::metadata(folder)?;
        let (mode, passed_on) = (meta.mode(), meta.mode() & SETGID != 0);
        let of_the_group = !is_ours(&meta) && mode & GROUP_WRITES != 0 && is_member(meta.gid());
        if !passed_on && !of_the_group {
            return Ok(Self::PRIVATE);
        }
        let group = mode & GROUP;
        Ok(Self {
            file: 0o600 | group & 0o060,
            // Folders pass it on from here.
            folder: SETGID | 0o700 | group,
            group: (!passed_on).then(|| meta.gid()),
        })
    }

    /// Returns whether the group may write, too.
    pub fn are_shared(self) -> bool {
        self.folder & GROUP_WRITES != 0
    }

    /// Gives a file that this process made its permissions, which the umask may have cut.
    pub fn give(self, file: &File) -> io::Result<()> {
        let meta = file.metadata()?;
        if !is_ours(&meta) {
            return Ok(());
        }
        if let Some(group) = self.group.filter(|group| *group != meta.gid()) {
            fchown(file, None, Some(group))?;
        }
        if meta.mode() & 0o777 != self.file {
            file.set_permissions(Permissions::from_mode(self.file))?;
        }
        Ok(())
    }

    /// Gives the file at this path, if it is ours, its permissions again.
    pub fn give_at(self, path: &Path) -> io::Result<()> {
        if is_ours(&fs::metadata(path)?) {
            fs::set_permissions(path, Permissions::from_mode(self.file))?;
        }
        Ok(())
    }

    /// Creates a file for reading and writing that must not be there yet.
    pub fn create_new(self, path: &Path) -> io::Result<File> {
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).mode(self.file).open(path)?;
        self.give(&file)?;
        Ok(file)
    }

    /// Creates a folder whose parent is there.
    pub fn create_folder(self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(self.folder & 0o777).create(path)?;
        let meta = fs::metadata(path)?;
        // A mount may say whose all files are, and with which permissions.
        if !is_ours(&meta) {
            return Ok(());
        }
        if let Some(group) = self.group.filter(|group| *group != meta.gid()) {
            chown(path, None, Some(group))?;
        }
        // Changing the mode clears the inherited set-group-ID bit for an account outside of the group.
        if meta.mode() & PERMISSIONS != self.folder {
            fs::set_permissions(path, Permissions::from_mode(self.folder))?;
        }
        Ok(())
    }
}

/// Returns whether this account owns it, and may change its permissions.
pub fn is_ours(meta: &Metadata) -> bool {
    meta.uid() == geteuid().as_raw()
}

fn is_member(group: u32) -> bool {
    let group = Gid::from_raw(group);
    geteuid().is_root()
        || getegid() == group
        || getgroups().is_ok_and(|groups| groups.contains(&group))
}
