//! What a run is told.

use clap::Parser;

/// Measures the whole cycle beside what a user would take instead
#[derive(Parser)]
pub struct Arguments {
    /// How many prefixes the plan has
    #[arg(long, default_value_t = 100_000)]
    pub prefixes: u64,
    /// How often everything is repeated
    #[arg(long, default_value_t = 3)]
    pub rounds: u64,
    /// Over how many backups the history of a row is asked for
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(2..))]
    pub history_backups: u64,
    /// Measure nothing: write the pages anew from the figures that are there
    #[arg(long)]
    pub pages: bool,
    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}
