//! One run of a use case as seen from outside: how far it is, and how to end it.

use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::engine::EngineError;
use crate::postgres::{DatabaseError, Session, Terminator};
use crate::threads::locked;

/// Phase of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing yet.
    #[default]
    Starting,
    /// Proving that the backup is whole.
    Verifying,
    /// Waiting for the tables.
    Locking,
    /// Reading the database.
    Reading,
    /// Comparing two snapshots.
    Comparing,
    /// Writing to the database, in the transaction.
    Applying,
    /// Reading back what was written, in the transaction.
    Proving,
    /// Past the point of no return.
    Committing,
    /// Removing what nothing needs.
    Sweeping,
    /// Writing a file.
    Exporting,
    /// Reading a backup from a file.
    Importing,
    /// Sending chunks to another store.
    Copying,
    /// Over.
    Done,
}

impl Phase {
    /// Returns whether it moves all the time, or a session of its works in the database. A commit cannot be
    /// given up, and a sweep only waits for the store, which has timeouts of its own.
    fn is_watched(self) -> bool {
        !matches!(self, Self::Committing | Self::Sweeping | Self::Done)
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Verifying => "verifying the backup",
            Self::Locking => "locking the tables",
            Self::Reading => "reading the database",
            Self::Comparing => "comparing",
            Self::Applying => "writing the rows",
            Self::Proving => "reading the result back",
            Self::Committing => "committing",
            Self::Sweeping => "freeing space",
            Self::Exporting => "writing a file",
            Self::Importing => "reading a file",
            Self::Copying => "copying",
            Self::Done => "ending",
        })
    }
}

/// Progress of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Its phase.
    pub phase: Phase,
    /// Rows done in this phase.
    pub rows: u64,
    /// Bytes done in this phase.
    pub bytes: u64,
    /// Rows that this phase will do, where that is known.
    pub total_rows: Option<u64>,
    /// Bytes that this phase will do, where that is known.
    pub total_bytes: Option<u64>,
}

/// A run: the engine reports to it, its owner watches it and may end it.
#[derive(Debug, Default)]
pub struct Run {
    progress: watch::Sender<Progress>,
    sessions: Mutex<Vec<Terminator>>,
}

impl Run {
    /// A run that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Follows the progress.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Returns whether it is too late to end it: the commit is under way.
    #[must_use]
    pub fn is_committing(&self) -> bool {
        self.progress.borrow().phase == Phase::Committing
    }

    /// A new phase begins.
    pub fn begin(&self, phase: Phase, total_rows: Option<u64>) {
        self.progress.send_replace(Progress { phase, total_rows, ..Progress::default() });
    }

    /// Tells the progress from a thread of its own.
    pub(in crate::engine) fn progress_sender(&self) -> ProgressSender {
        ProgressSender(self.progress.clone())
    }

    /// Tells the progress in bytes from wherever it is known.
    pub(in crate::engine) fn byte_progress(&self) -> impl Fn(u64, u64) + Send + Sync + 'static {
        let progress = self.progress.clone();
        move |bytes, of| {
            progress.send_modify(|progress| {
                progress.bytes = bytes;
                progress.total_bytes = Some(of);
            });
        }
    }

    /// Tells that work goes on which is not that of the phase.
    pub(in crate::engine) fn sign_of_life(&self) -> impl Fn() + Send + Sync + 'static {
        let progress = self.progress.clone();
        move || progress.send_modify(|_| {})
    }

    /// So much more is done.
    pub fn advance(&self, rows: u64, bytes: u64) {
        advance(&self.progress, rows, bytes);
    }

    /// A session that [`Run::end_sessions`] will end.
    pub(in crate::engine) fn register(&self, session: &Session) {
        locked(&self.sessions).push(session.terminator());
    }

    /// Returns once the run has made no progress for so long, and none of its sessions works in the
    /// database: a statement may take longer than that.
    pub async fn stalled(&self, patience: Duration) -> EngineError {
        let mut progress = self.watch();
        loop {
            let phase = progress.borrow_and_update().phase;
            if !phase.is_watched() {
                // The sender lives as long as the run.
                let _ = progress.changed().await;
            } else if timeout(patience, progress.changed()).await.is_err()
                && !Box::pin(self.works_in_the_database()).await
            {
                return EngineError::Stalled { phase, seconds: patience.as_secs() };
            }
        }
    }

    async fn works_in_the_database(&self) -> bool {
        let session = locked(&self.sessions).last().cloned();
        match session {
            Some(session) => session.is_working().await,
            None => false,
        }
    }

    /// Ends the run's sessions in the database, to be called after the run's future was dropped:
    /// when this returns, the server has rolled back and holds no lock for it.
    ///
    /// # Errors
    /// If the server cannot be asked; it then notices within a second or two by itself.
    pub async fn end_sessions(&self) -> Result<(), DatabaseError> {
        let sessions = std::mem::take(&mut *locked(&self.sessions));
        for session in sessions {
            session.terminate().await?;
        }
        Ok(())
    }
}

/// Tells the progress of a run from a thread that outlives the call which started it.
#[derive(Debug, Clone)]
pub(in crate::engine) struct ProgressSender(watch::Sender<Progress>);

impl ProgressSender {
    /// A new phase begins.
    pub fn begin(&self, phase: Phase, total_rows: u64) {
        let total_rows = Some(total_rows);
        self.0.send_replace(Progress { phase, total_rows, ..Progress::default() });
    }

    /// So much more is done.
    pub fn advance(&self, rows: u64, bytes: u64) {
        advance(&self.0, rows, bytes);
    }
}

fn advance(progress: &watch::Sender<Progress>, rows: u64, bytes: u64) {
    progress.send_modify(|progress| {
        progress.rows += rows;
        progress.bytes += bytes;
    });
}
