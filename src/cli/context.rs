//! What every verb works with: the global options, the engine, progress, Ctrl-C.

use std::time::Duration;

use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::CliError;
use super::prompt::Answer;
use super::{DEFAULT_STORE, Global, output, progress};
use crate::engine::{Engine, EngineError, Run};

/// The context of a command.
#[derive(Debug, Clone)]
pub struct Context {
    global: Global,
}

impl Context {
    /// With these options.
    pub fn new(global: Global) -> Self {
        Self { global }
    }

    /// The same surroundings for another store and database; the demo's.
    pub fn elsewhere(&self, store: String, database_url: String) -> Self {
        let (database_url, database_url_file) = (Some(database_url), None);
        Self { global: Global { database_url, database_url_file, store, ..self.global.clone() } }
    }

    /// The store that was named, or nothing if it is the default one.
    pub fn named_store(&self) -> Option<&str> {
        Some(self.global.store.as_str()).filter(|store| *store != DEFAULT_STORE)
    }

    /// The same surroundings, with yes to every question.
    pub fn agreeing(&self) -> Self {
        Self { global: Global { yes: true, ..self.global.clone() } }
    }

    /// Whether results are to be JSON.
    pub fn json(&self) -> bool {
        self.global.json
    }

    /// Whether questions answer themselves.
    pub fn yes(&self) -> bool {
        self.global.yes
    }

    /// An engine over a store that is there.
    pub async fn engine(&self) -> Result<Engine, CliError> {
        Ok(self.limited(Engine::open(&self.global.store, self.database()?).await?))
    }

    /// An engine over a store that is made if it is not there.
    pub async fn engine_for_writing(&self) -> Result<Engine, CliError> {
        Ok(self.limited(Engine::open_or_create(&self.global.store, self.database()?).await?))
    }

    fn limited(&self, engine: Engine) -> Engine {
        let lock_timeout = Duration::from_secs(self.global.lock_timeout.into());
        engine.with_lock_timeout(lock_timeout).with_max_row(self.global.max_row_size << 20)
    }

    /// How long work goes on without any progress. A wait for a lock is none, and has a limit of its own.
    pub fn stall_timeout(&self) -> Duration {
        Duration::from_secs(
            u64::from(self.global.stall_timeout) + u64::from(self.global.lock_timeout),
        )
    }

    /// Where the store is.
    pub fn store(&self) -> &str {
        &self.global.store
    }

    /// The database's address: from the file, if one was named.
    fn database(&self) -> Result<Option<String>, CliError> {
        let Some(path) = &self.global.database_url_file else {
            return Ok(self.global.database_url.clone());
        };
        let unreadable = |source| CliError::DatabaseUrlFile { path: path.clone(), source };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Ok(Some(text.trim().to_owned()))
    }

    /// Runs a use case: shows its progress, and ends it cleanly on Ctrl-C.
    pub async fn run<T>(
        &self,
        work: impl AsyncFnOnce(&Run) -> Result<T, EngineError>,
    ) -> Result<T, CliError> {
        let run = Run::new();
        let bar = progress::show(run.watch(), self.global.quiet || self.global.json);
        let mut stuck = None;
        let ended = {
            let work = work(&run);
            let stalled = run.stalled(self.stall_timeout());
            tokio::pin!(work, stalled);
            loop {
                tokio::select! {
                    done = &mut work => break Some(done),
                    error = &mut stalled => {
                        stuck = Some(error);
                        break None;
                    }
                    () = interruption() => {
                        if !run.is_committing() {
                            break None;
                        }
                        output::note("the commit is under way; it cannot be interrupted");
                    }
                }
            }
        };
        bar.finish().await;
        if let Some(done) = ended {
            return Ok(done?);
        }
        if let Err(error) = run.end_sessions().await {
            tracing::debug!("could not terminate the database session: {error}");
        }
        Err(stuck.unwrap_or(EngineError::Interrupted).into())
    }

    /// Prints a result: its document as JSON, or the text for people.
    pub fn print<D: From<T> + Serialize, T: Clone>(
        &self,
        result: &T,
        text: impl FnOnce(&T) -> String,
    ) {
        if self.global.json {
            output::json(&D::from(result.clone()));
        } else {
            output::text(&text(result));
        }
    }

    /// Waits, unless the program is asked to end.
    ///
    /// # Errors
    /// If it is.
    pub async fn wait(&self, long: Duration) -> Result<(), CliError> {
        tokio::select! {
            () = tokio::time::sleep(long) => Ok(()),
            () = interruption() => Err(CliError::Interrupted),
        }
    }

    /// Says something beside the result, unless told to be quiet.
    pub fn say(&self, words: &str) {
        if !self.global.quiet && !self.global.json {
            output::note(words);
        }
    }

    /// Finds out, before any work is done, where the answer to a question will come from.
    ///
    /// # Errors
    /// If nobody will answer.
    pub async fn expect_answer(&self) -> Result<Answer, CliError> {
        if self.global.yes {
            return Ok(Answer::Yes);
        }
        tokio::select! {
            answer = Answer::expected() => answer,
            () = interruption() => Err(CliError::Interrupted),
        }
    }

    /// Asks, and goes on only after a yes.
    pub async fn confirm(&self, question: &str, answer: Answer) -> Result<(), CliError> {
        tokio::select! {
            answer = answer.to(question) => answer,
            () = interruption() => Err(CliError::Interrupted),
        }
    }
}

/// Returns when the program is asked to end.
async fn interruption() {
    match Interruption::expected() {
        Ok(mut interruption) => interruption.came().await,
        Err(_) => std::future::pending().await,
    }
}

/// SIGTERM and Ctrl-C, which from now on do not end the program by themselves.
#[derive(Debug)]
pub struct Interruption {
    terminate: Signal,
    interrupt: Signal,
}

impl Interruption {
    /// Begins to listen.
    pub fn expected() -> std::io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Returns when one of them has come.
    pub async fn came(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
