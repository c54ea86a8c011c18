//! The process between us and the server. A server started directly would outlive us when we are
//! killed, since no destructor runs then; the watchdog sees our pipe close, whatever ended us.

use std::fs;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::account::Account;
use super::{EmbeddedError, Options};

const SCRIPT: &str = include_str!("watchdog.sh");
const START_TIMEOUT: Duration = Duration::from_mins(2);

/// A running watchdog. Dropping it stops the server without waiting for that.
#[derive(Debug)]
pub(super) struct Watchdog {
    process: Child,
    data: PathBuf,
    folder: PathBuf,
}

impl Watchdog {
    /// Starts the server of the cluster in `data`, made first if it is missing, with its socket
    /// and log in `folder`, which the watchdog removes when the server has stopped.
    pub(super) fn start(
        programs: &Path,
        data: &Path,
        folder: &Path,
        options: &Options,
        account: &Account,
    ) -> Result<Self, EmbeddedError> {
        // Data that goes away with its server needs no sync and no last checkpoint.
        let (sync, signal) = match options.data_dir {
            Some(_) => ("", "INT"),
            None => ("--no-sync", "QUIT"),
        };
        let mut command = Command::new("sh");
        command
            .args(["-c", SCRIPT, "watchdog"])
            .args([programs, data, folder])
            .args([sync, signal])
            .args(server_options(options.durable))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A Ctrl-C on the terminal is for us; we stop the server when we are done with it.
            .process_group(0);
        account.run(&mut command);
        Ok(Self {
            process: command.spawn().map_err(EmbeddedError::Watchdog)?,
            data: data.to_owned(),
            folder: folder.to_owned(),
        })
    }

    /// Waits until the server takes connections.
    pub(super) fn wait_until_ready(&mut self) -> Result<(), EmbeddedError> {
        let begun = Instant::now();
        while begun.elapsed() < START_TIMEOUT {
            let ended = self.process.try_wait().map_err(EmbeddedError::Watchdog)?;
            if ended.is_some() {
                return Err(EmbeddedError::DidNotStart { log: self.last_words() });
            }
            if is_ready(&self.data, &self.folder) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(EmbeddedError::NotReady { seconds: START_TIMEOUT.as_secs() })
    }

    /// The end of the server's log, which the watchdog hands on when the server failed.
    fn last_words(&mut self) -> String {
        let mut log = Vec::new();
        if let Some(mut stderr) = self.process.stderr.take() {
            // What could not be read is missing from a message, no more.
            let _ = stderr.read_to_end(&mut log);
        }
        String::from_utf8_lossy(&log).trim().to_owned()
    }

    /// Stops the server and waits until it and the folder are gone.
    pub(super) fn stop(self) -> Result<(), EmbeddedError> {
        // This closes our end of the pipe first, and reads what would block the watchdog's end.
        self.process.wait_with_output().map_err(EmbeddedError::Watchdog)?;
        // Where only root may write, the watchdog could empty the folder, not remove it.
        match fs::remove_dir_all(&self.folder) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(EmbeddedError::Folder { path: self.folder, source })
            }
            _ => Ok(()),
        }
    }
}

fn server_options(durable: bool) -> impl Iterator<Item = &'static str> {
    let always = ["listen_addresses=", "port=5432", "max_connections=200"];
    let fast = [
        "fsync=off",
        "full_page_writes=off",
        "synchronous_commit=off",
        "max_wal_size=4GB",
        "max_prepared_transactions=8",
    ];
    always
        .into_iter()
        .chain(fast.into_iter().filter(move |_| !durable))
        .flat_map(|setting| ["-c", setting])
}

/// Whether the server of this socket folder is ready. The data folder alone does not tell: after
/// a crash it still holds the file of the server before.
fn is_ready(data: &Path, folder: &Path) -> bool {
    let Ok(status) = fs::read_to_string(data.join("postmaster.pid")) else {
        return false;
    };
    let Ok(lock) = fs::read_to_string(folder.join(".s.PGSQL.5432.lock")) else {
        return false;
    };
    let state = status.lines().nth(7).unwrap_or_default();
    status.lines().next() == lock.lines().next() && state.trim() == "ready"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_crashed_server_does_not_count_as_ready() {
        let folder = tempfile::tempdir().unwrap();
        let ready = "7\n/d\n1\n5432\n/s\n\n  1 2\nready   \n";
        fs::write(folder.path().join("postmaster.pid"), ready).unwrap();
        assert!(!is_ready(folder.path(), folder.path()));
        let lock = folder.path().join(".s.PGSQL.5432.lock");
        fs::write(&lock, "8\n").unwrap();
        assert!(!is_ready(folder.path(), folder.path()));
        fs::write(&lock, "7\n").unwrap();
        assert!(is_ready(folder.path(), folder.path()));
    }

    #[test]
    fn a_durable_server_keeps_its_fsync() {
        assert!(server_options(true).all(|option| option != "fsync=off"));
        assert!(server_options(false).any(|option| option == "fsync=off"));
    }
}
