//! The whole cycle on a plan of any size, beside what a user would take instead: in one run, on one
//! private PostgreSQL, every program as its own process, in turn with the others.
//!
//! ```text
//! make bench PREFIXES=1000000 ROUNDS=3
//! ```
//!
//! Writes `benches/results/cycle-N.json` and every page that quotes figures.

mod arguments;
mod bench;
mod clients;
mod edits;
mod history;
mod measure;
mod processes;
mod programs;
mod record;
mod results;
mod round;
mod surroundings;
mod waits;

use std::path::Path;

use anyhow::Result;
use clap::Parser;

use arguments::Arguments;
use bench::Bench;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    if arguments.pages {
        return record::write_pages(project);
    }
    let mut bench = Bench::start(&arguments).await?;
    for number in 1..=arguments.rounds {
        eprintln!("round {number} of {}", arguments.rounds);
        round::run(&mut bench, number).await?;
        // A long run that is stopped keeps the rounds that it finished.
        record::write(&bench.run, project)?;
    }
    history::run(&mut bench, arguments.history_backups).await?;
    record::write(&bench.run, project)?;
    bench.stop().await
}
