//! Questions, asked on standard error and answered on a terminal only.

use std::io::{BufRead, IsTerminal, Write, stderr, stdin};
use std::thread;

use tokio::sync::oneshot;

use super::error::CliError;

/// Asks a question whose default answer is no.
pub async fn ask(question: &str) -> Result<(), CliError> {
    if !stdin().is_terminal() {
        return Err(CliError::NobodyToAsk);
    }
    // An unreadable terminal gives no answer, which is a no.
    let _ = write!(stderr(), "{question} [y/N] ").and_then(|()| stderr().flush());
    match answer().await.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CliError::Declined),
    }
}

/// The next line from the terminal. Read on a thread that nobody waits for: whoever interrupts this
/// program gives no answer.
async fn answer() -> String {
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || {
        let mut answer = String::new();
        let _ = stdin().lock().read_line(&mut answer);
        let _ = sender.send(answer);
    });
    receiver.await.unwrap_or_default()
}
