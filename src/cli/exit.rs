//! How a verb ends: words on standard error, and the exit code.

use std::process::ExitCode;

use super::context::Context;
use super::error::CliError;
use super::output;

/// The exit codes, for `--help`.
pub const HELP: &str = "\
Exit codes: 0 done; 1 failed; 2 wrong usage; 3 no such backup; 4 damaged backup;
5 database out of reach or not permitted; 6 busy; 130 interrupted.";

/// Says how it ended, and turns it into an exit code.
pub fn conclude(context: &Context, done: Result<(), CliError>) -> ExitCode {
    let Err(error) = done else {
        return ExitCode::SUCCESS;
    };
    match &error {
        CliError::DamageFound => {}
        CliError::Engine(failure) => {
            if context.json() {
                output::json(&failure.problem());
            }
            output::error(&failure.chain().join("\n  because: "));
            if let Some(hint) = failure.hint() {
                output::note(&format!("hint: {hint}"));
            }
        }
        CliError::Token(failure) => {
            let why = std::error::Error::source(failure).map(|why| format!("\n  because: {why}"));
            output::error(&format!("{failure}{}", why.unwrap_or_default()));
        }
        CliError::Demo(failure) => output::error(&format!("{failure:#}")),
        other => output::error(&other.to_string()),
    }
    ExitCode::from(error.code())
}
