//! The program: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use ipam_rewind::cli::Cli;
use ipam_rewind::threads;

fn main() -> ExitCode {
    threads::share_one_arena();
    Cli::try_parse().map_or_else(|error| ipam_rewind::cli::explain(&error), ipam_rewind::cli::run)
}
