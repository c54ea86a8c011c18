//! The state folder: where the service keeps what is its own, beside the store.

use std::fs::{self, File, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use crate::service::{ServiceError, files};
use crate::store::{Modes, is_ours};

/// The address that the service listens on.
const ADDRESS: &str = "address";
/// Files that show that a folder is a state folder.
const OURS: [&str; 2] = ["jobs.json", "tokens.json"];

/// A folder that this process alone uses for its state. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct StateFolder {
    path: Arc<Path>,
    /// Locked as long as any clone lives; gone with the process, however it ends.
    _lock: Arc<File>,
}

impl StateFolder {
    /// Opens the folder, which is made if it is missing. Only our own account may enter it, unless it
    /// holds files of others, belongs to another account, or is shared with a group.
    ///
    /// # Errors
    /// [`ServiceError::StateInUse`] if another process has it open; if it cannot be used.
    pub fn open(path: &Path) -> Result<Self, ServiceError> {
        let failed = |source| ServiceError::State { path: path.to_owned(), source };
        make_private(path).map_err(failed)?;
        let lock = files::open_lock(&path.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.into(), _lock: Arc::new(lock) }),
            Err(fs::TryLockError::WouldBlock) => Err(ServiceError::StateInUse(path.to_owned())),
            Err(fs::TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Notes the address that the service listens on, for [`Self::noted_address`].
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn note_address(&self, address: SocketAddr) -> io::Result<()> {
        files::replace(&self.path.join(ADDRESS), format!("{address}\n").as_bytes())
    }

    /// The address that the latest service of the folder at this path has listened on; none if there was
    /// none, or it cannot be read.
    #[must_use]
    pub fn noted_address(path: &Path) -> Option<SocketAddr> {
        fs::read_to_string(path.join(ADDRESS)).ok()?.trim().parse().ok()
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Lets only our own account enter a folder that is new, empty or ours already. The mode of any other
/// is not changed: that would lock others out of it, or is not ours to change.
fn make_private(path: &Path) -> io::Result<()> {
    files::make_folder(path)?;
    let (meta, modes) = (fs::metadata(path)?, Modes::of(path)?);
    let is_empty = || Ok::<_, io::Error>(fs::read_dir(path)?.next().is_none());
    let ours = is_ours(&meta) && !modes.are_shared();
    if ours && (OURS.iter().any(|name| path.join(name).is_file()) || is_empty()?) {
        return fs::set_permissions(path, Permissions::from_mode(0o700));
    }
    let others = if modes.are_shared() { 0o002 } else { 0o022 };
    if meta.permissions().mode() & others != 0 {
        let words = "others may write into it, and it is not empty or belongs to another account: name a \
                     folder of its own";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, words));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o7777
    }

    #[test]
    fn a_folder_of_others_keeps_its_mode_or_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let (shared, read) = (folder.path().join("shared"), folder.path().join("read"));
        for (path, rights) in [(&shared, 0o1777), (&read, 0o755)] {
            fs::create_dir(path).expect("made");
            fs::write(path.join("of others"), "").expect("written");
            fs::set_permissions(path, Permissions::from_mode(rights)).expect("ours");
        }
        let refused = StateFolder::open(&shared).expect_err("others may write there");
        let why = std::error::Error::source(&refused).expect("a reason").to_string();
        assert!(why.contains("name a folder of its own"), "{why}");
        assert_eq!(mode(&shared), 0o1777);
        StateFolder::open(&read).expect("usable");
        assert_eq!(mode(&read), 0o755);
        StateFolder::open(&folder.path().join("new")).expect("made");
        assert_eq!(mode(&folder.path().join("new")), 0o700);
    }

    #[test]
    fn only_one_process_has_the_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = StateFolder::open(&folder.path().join("new")).expect("made");
        let second = StateFolder::open(&folder.path().join("new"));
        assert!(matches!(second, Err(ServiceError::StateInUse(_))));
        drop(state);
        assert!(StateFolder::open(&folder.path().join("new")).is_ok());
    }
}
