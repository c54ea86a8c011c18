//! How a verb ends: words on standard error, and the exit code.

use std::ffi::OsStr;
use std::io::{self, Write, stderr, stdout};
use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Cli;
use super::context::Context;
use super::error::CliError;
use super::output;
use crate::api::body::Problem;
use crate::engine::Kind;
use crate::model::visible_lines;

/// The exit codes, for `--help`.
pub const HELP: &str = "\
Exit codes: 0 done; 1 failed; 2 wrong usage; 3 no such backup; 4 damaged backup;
5 database out of reach or not permitted; 6 busy; 130 interrupted.";

/// The same error with the usage of its command. Clap's own lists every option that has a value, also
/// those that the environment gives, as if they were required.
fn with_usage(error: &clap::Error) -> clap::Error {
    let mut told = clap::Error::new(error.kind());
    for (kind, value) in error.context() {
        told.insert(kind, value.clone());
    }
    let mut command = Cli::command();
    command.build();
    let mut at = &mut command;
    for word in std::env::args().skip(1) {
        if at.find_subcommand(&word).is_some() {
            at = at.find_subcommand_mut(&word).expect("just found");
        }
    }
    told.insert(ContextKind::Usage, ContextValue::StyledStr(at.render_usage()));
    told.with_cmd(at)
}

/// What clap says of arguments that it could not take, or was asked to say of those that it can. The
/// error is told as a document, too, if that was asked for as far as can be told.
pub fn explain(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|argument| argument == OsStr::new("--json"));
    if error.use_stderr() && json {
        let words = error.render().to_string();
        let words = words.trim().trim_start_matches("error: ");
        output::json(&Problem::of(Kind::MalformedRequest, words));
    }
    let styled = match error.kind() {
        ErrorKind::MissingRequiredArgument => with_usage(error).render(),
        _ => error.render(),
    };
    let (plain, ansi) = (styled.to_string(), styled.ansi().to_string());
    // What was typed may hold what a terminal would obey.
    let safe = visible_lines(&plain) == plain;
    if error.use_stderr() {
        let words =
            if safe && output::has_colours(&stderr()) { ansi } else { visible_lines(&plain) };
        // Nobody is there to be told that nobody is there.
        let _ = write!(stderr(), "{words}");
        return ExitCode::from(2);
    }
    let words = if output::has_colours(&stdout()) { ansi } else { plain };
    match write!(stdout(), "{words}").and_then(|()| stdout().flush()) {
        Err(failure) if failure.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

/// Says how it ended, and turns it into an exit code.
pub fn conclude(context: &Context, done: Result<(), CliError>) -> ExitCode {
    let Err(error) = done else {
        return if output::is_unwritten() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
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
