//! One run of a use case as seen from outside: how far it is, and how to end it.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::postgres::{DatabaseError, Session, Terminator};
use crate::threads::locked;

/// What a run is doing.
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
    /// Over.
    Done,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// What it is doing.
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

    /// Whether it is too late to end it: the commit is under way.
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

    /// So much more is done.
    pub fn advance(&self, rows: u64, bytes: u64) {
        advance(&self.progress, rows, bytes);
    }

    /// A session that [`Run::end_sessions`] will end.
    pub(in crate::engine) fn register(&self, session: &Session) {
        locked(&self.sessions).push(session.terminator());
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
