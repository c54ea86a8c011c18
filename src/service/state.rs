//! The state folder: where the service keeps what is its own, beside the store.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use super::ServiceError;

/// A folder that this process alone uses for its state. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct StateFolder {
    path: Arc<Path>,
    /// Locked as long as any clone lives; gone with the process, however it ends.
    _lock: Arc<File>,
}

impl StateFolder {
    /// Opens the folder, which is made if it is missing. Only our own account may enter it.
    ///
    /// # Errors
    /// [`ServiceError::StateInUse`] if another process has it open; if it cannot be used.
    pub fn open(path: &Path) -> Result<Self, ServiceError> {
        let failed = |source| ServiceError::State { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(failed)?;
        let lock = File::options().create(true).truncate(false).write(true).open(path.join("lock"));
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.into(), _lock: Arc::new(lock) }),
            Err(fs::TryLockError::WouldBlock) => Err(ServiceError::StateInUse(path.to_owned())),
            Err(fs::TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
