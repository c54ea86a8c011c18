//! The program: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use ipam_rewind::cli::Cli;
use ipam_rewind::threads;

fn main() -> ExitCode {
    threads::share_one_arena();
    ipam_rewind::cli::run(Cli::parse())
}
