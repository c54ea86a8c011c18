//! Questions, asked on standard error and answered on a terminal or by a line on standard input.

use std::io::{BufRead, IsTerminal, Read as _, Write, stderr, stdin};
use std::thread;

use tokio::sync::oneshot;

use super::error::CliError;
use crate::model::visible_lines;

/// Bytes of an answer that are read.
const LONGEST: u64 = 1000;

/// Where the answer to a question comes from; known before any work is done.
#[derive(Debug)]
pub enum Answer {
    /// It is yes, whatever is asked.
    Yes,
    /// Somebody at a terminal is asked.
    AtTerminal,
    /// It is this line.
    Said(String),
}

impl Answer {
    /// Finds out where the answer will come from.
    ///
    /// # Errors
    /// [`CliError::NobodyToAsk`] if there is no terminal, and standard input is empty.
    pub async fn expected() -> Result<Self, CliError> {
        if stdin().is_terminal() {
            return Ok(Self::AtTerminal);
        }
        let line = line().await;
        if line.trim().is_empty() { Err(CliError::NobodyToAsk) } else { Ok(Self::Said(line)) }
    }

    /// Asks a question whose default answer is no.
    ///
    /// # Errors
    /// [`CliError::Declined`] unless the answer is yes.
    pub async fn to(self, question: &str) -> Result<(), CliError> {
        if matches!(self, Self::Yes) {
            return Ok(());
        }
        let question = visible_lines(question);
        // An unreadable terminal gives no answer, which is a no.
        let _ = write!(stderr(), "{question} [y/N] ").and_then(|()| stderr().flush());
        let answer = match self {
            Self::Said(line) => {
                let _ = writeln!(stderr(), "{}", visible_lines(line.trim()));
                line
            }
            _ => line().await,
        };
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(CliError::Declined),
        }
    }
}

/// The next line from standard input. Read on a thread that nobody waits for: whoever interrupts this
/// program gives no answer.
async fn line() -> String {
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || {
        let mut line = Vec::new();
        let _ = stdin().lock().take(LONGEST).read_until(b'\n', &mut line);
        let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
    });
    receiver.await.unwrap_or_default()
}
