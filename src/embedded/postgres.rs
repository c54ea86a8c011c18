//! The private server itself: a cluster of its own, reached by a socket in a folder that only its
//! account may enter, and gone with the process that started it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::account::Account;
use super::watchdog::Watchdog;
use super::{EmbeddedError, programs};

/// A socket's path holds 107 bytes; our folder's name and the socket's lock file take 38 of them.
const LONGEST_TEMPORARY_ROOT: usize = 69;

/// How a private server keeps its data.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where the cluster lies; made if it is missing, used again if it is there. `None` is a
    /// temporary folder that goes with the server.
    pub data_dir: Option<PathBuf>,
    /// Whether a commit survives a crash of the machine. Without it everything is faster.
    pub durable: bool,
    /// The folder of `initdb` and `postgres`. `None` takes what `IPAM_REWIND_PG_BIN` names, or else
    /// what is installed.
    pub programs: Option<PathBuf>,
}

/// A running PostgreSQL that belongs to this process alone.
///
/// It stops when this is stopped or dropped and also when the process ends without either, by
/// `SIGKILL` as well; no server and no temporary folder stay behind.
#[derive(Debug)]
pub struct PrivatePostgres {
    watchdog: Watchdog,
    programs: PathBuf,
    folder: PathBuf,
}

impl PrivatePostgres {
    /// Makes the cluster if it is not there yet, starts it and waits until it takes connections.
    /// The server does not depend on the runtime that this is called in.
    ///
    /// # Errors
    /// When the server programs or an account to run them are missing, a folder cannot be used,
    /// or the server does not start; then nothing is left running.
    pub async fn start(options: Options) -> Result<Self, EmbeddedError> {
        blocking(move || Self::start_blocking(&options)).await
    }

    fn start_blocking(options: &Options) -> Result<Self, EmbeddedError> {
        let programs = programs::find(options.programs.as_deref())?;
        let account = Account::find()?;
        let folder = temporary_folder()?;
        account.own(folder.path())?;
        let data = match &options.data_dir {
            Some(data) => {
                let data = made(data)?;
                account.own(&data)?;
                data
            }
            None => folder.path().join("data"),
        };
        let mut watchdog = Watchdog::start(&programs, &data, folder.path(), options, &account)?;
        // From here on the watchdog removes the folder.
        let folder = folder.keep();
        watchdog.wait_until_ready()?;
        Ok(Self { watchdog, programs, folder })
    }

    /// The folder of this server's programs: `psql`, `pg_dump` and the like.
    pub fn bin_dir(&self) -> &Path {
        &self.programs
    }

    /// The folder of the socket, which is this server's temporary folder, too.
    pub fn socket_dir(&self) -> &Path {
        &self.folder
    }

    /// Stops the server, clients or not, and waits until it and its temporary folder are gone.
    ///
    /// # Errors
    /// When the watchdog cannot be waited for, or the folder cannot be removed.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        blocking(move || self.watchdog.stop()).await
    }
}

/// Waits for processes on a thread that no other task needs.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .expect("this work does not panic, and is not dropped while it is awaited")
}

fn temporary_folder() -> Result<TempDir, EmbeddedError> {
    let usual = tempfile::env::temp_dir();
    let root = if usual.as_os_str().len() <= LONGEST_TEMPORARY_ROOT {
        usual
    } else {
        PathBuf::from("/tmp")
    };
    tempfile::Builder::new()
        .prefix("ipam-rewind-")
        // Whoever gets to the socket is let in.
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(&root)
        .map_err(|source| EmbeddedError::Folder { path: root, source })
}

fn made(folder: &Path) -> Result<PathBuf, EmbeddedError> {
    fs::create_dir_all(folder)
        .and_then(|()| folder.canonicalize())
        .map_err(|source| EmbeddedError::Folder { path: folder.to_owned(), source })
}
