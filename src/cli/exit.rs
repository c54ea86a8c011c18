//! How a verb ends: words on standard error, and the exit code.

use std::ffi::OsStr;
use std::process::ExitCode;

use super::context::Context;
use super::error::CliError;
use super::output;
use crate::engine::Kind;

/// The exit codes, for `--help`.
pub const HELP: &str = "\
Exit codes: 0 done; 1 failed; 2 wrong usage; 3 no such backup; 4 damaged backup;
5 database out of reach or not permitted; 6 busy; 130 interrupted.";

/// What clap says of arguments that it could not take, or was asked to say of those that it can. The
/// error is told as a document, too, if that was asked for as far as can be told.
pub fn explain(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|argument| argument == OsStr::new("--json"));
    if error.use_stderr() && json {
        let words = error.render().to_string();
        output::json(&Kind::MalformedRequest.problem(words.trim().trim_start_matches("error: ")));
    }
    // Nobody is there to be told that nobody is there.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

/// Says how it ended, and turns it into an exit code.
pub fn conclude(context: &Context, done: Result<(), CliError>) -> ExitCode {
    let Err(error) = done else {
        return ExitCode::SUCCESS;
    };
    if let Some(problem) = error.problem() {
        if context.json() {
            output::json(&problem);
        }
        output::error(&error.words("\n  because: "));
        if let Some(hint) = problem.hint {
            output::note(&format!("hint: {hint}"));
        }
    }
    ExitCode::from(error.code())
}
