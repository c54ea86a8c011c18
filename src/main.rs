//! The program: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use ipam_rewind::cli::Cli;

fn main() -> ExitCode {
    ipam_rewind::cli::run(Cli::parse())
}
