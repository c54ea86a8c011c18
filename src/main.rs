//! The program: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use ipam_rewind::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    ipam_rewind::cli::run(Cli::parse()).await
}
