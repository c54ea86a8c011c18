//! What can go wrong while a private PostgreSQL is set up, filled or stopped.

use std::io;
use std::path::PathBuf;

/// An error of the private PostgreSQL or of its sample plan.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No installation of the server programs was found.
    #[error(
        "the PostgreSQL server programs were not found; install them \
         (`apt-get install postgresql`) or set IPAM_REWIND_PG_BIN to their folder"
    )]
    ProgramsNotFound,
    /// `IPAM_REWIND_PG_BIN` points to a folder without `initdb` or `postgres`.
    #[error("IPAM_REWIND_PG_BIN is {}, which holds no `initdb` and `postgres`", .0.display())]
    NoProgramsThere(PathBuf),
    /// The program runs as root, which PostgreSQL refuses, and no other account was found.
    #[error("PostgreSQL does not run as root, and there is no account `postgres` or `nobody`")]
    NoAccount,
    /// A folder or file of the server could not be made, read or removed.
    #[error("cannot use {}", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The process that runs and watches the server could not be started or waited for.
    #[error("cannot run the watchdog of the private PostgreSQL")]
    Watchdog(#[source] io::Error),
    /// The server ended before it was ready; the end of its log says why.
    #[error("the private PostgreSQL did not start: {log}")]
    DidNotStart {
        /// The last lines of the server's log.
        log: String,
    },
    /// The server is there, but was not ready in time.
    #[error("the private PostgreSQL was not ready after {seconds} s")]
    NotReady {
        /// How long it was waited for.
        seconds: u64,
    },
    /// The schema could not be created.
    #[error("cannot create the IPAM schema")]
    Schema(#[from] sqlx::migrate::MigrateError),
    /// A statement failed.
    #[error("a statement on the private database failed")]
    Sql(#[from] sqlx::Error),
}
