//! How a verb ends: words on standard error, and the exit code.

use std::process::ExitCode;

use super::context::Context;
use super::output;
use crate::engine::{EngineError, Kind};

/// The exit codes, for `--help`.
pub const HELP: &str = "\
Exit codes: 0 done; 1 failed; 2 wrong usage; 3 no such backup; 4 damaged backup;
5 database out of reach or not permitted; 6 busy; 130 interrupted.";

/// Why a verb did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The engine could not.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// There is nobody to answer a question.
    #[error("this asks before it acts, but there is no terminal: add --yes")]
    NobodyToAsk,
    /// The answer was no.
    #[error("not confirmed; nothing was changed")]
    Declined,
    /// A verification found damage; its report is printed already.
    #[error("damage was found")]
    DamageFound,
    /// The private PostgreSQL of the demo.
    #[error(transparent)]
    Demo(#[from] anyhow::Error),
}

impl CliError {
    fn code(&self) -> u8 {
        match self {
            Self::NobodyToAsk => 2,
            Self::Declined | Self::Demo(_) => 1,
            Self::DamageFound => 4,
            Self::Engine(error) => match error.kind() {
                Kind::Failed | Kind::SchemaMismatch => 1,
                Kind::MalformedRequest => 2,
                Kind::NoSuchBackup => 3,
                Kind::Damaged => 4,
                Kind::DatabaseUnreachable | Kind::NotPermitted => 5,
                Kind::Busy => 6,
                Kind::Interrupted => 130,
            },
        }
    }
}

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
        CliError::Demo(failure) => output::error(&format!("{failure:#}")),
        other => output::error(&other.to_string()),
    }
    ExitCode::from(error.code())
}
