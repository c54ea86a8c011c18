//! Questions, asked on standard error and answered on a terminal only.

use std::io::{BufRead, IsTerminal, Write, stderr, stdin};

use super::error::CliError;

/// Asks a question whose default answer is no.
pub fn ask(question: &str) -> Result<(), CliError> {
    if !stdin().is_terminal() {
        return Err(CliError::NobodyToAsk);
    }
    let mut answer = String::new();
    // An unreadable terminal gives no answer, which is a no.
    let _ = write!(stderr(), "{question} [y/N] ").and_then(|()| stderr().flush());
    let _ = stdin().lock().read_line(&mut answer);
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CliError::Declined),
    }
}
