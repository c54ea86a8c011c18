//! What the format's numbers cost and gain: the sample plan, its trees made with one parameter
//! changed at a time, and what would be stored of them.
//!
//! ```text
//! cargo bench --bench sweep -- --prefixes 200000
//! ```
//!
//! Writes `benches/results/sweep-N.md`. Sizes are those of the frames and of the two entries that a
//! chunk has, in its pack's footer and in the index; times are of one thread that cuts, hashes
//! and compresses a whole plan.

mod kept;
mod limit;
mod plan;
mod setting;
mod table;

use std::path::Path;

use anyhow::Result;
use clap::Parser;

use plan::Plan;

#[derive(Parser)]
struct Arguments {
    /// How many prefixes the plan has
    #[arg(long, default_value_t = 200_000)]
    prefixes: u64,
    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    eprintln!("reading {} prefixes in four states", arguments.prefixes);
    let plan = Plan::read(arguments.prefixes).await?;
    let mut out = table::head(&plan, arguments.prefixes);
    for (title, settings) in setting::sweeps() {
        out += &table::section(title);
        for setting in settings {
            let measured = setting.measure(&plan)?;
            eprintln!("{}", measured.line(&setting.name).trim_end());
            out += &measured.line(&setting.name);
        }
    }
    out += &table::columns(&setting::Setting::by_column(&plan)?);
    out += &table::limits(&limit::limits(&plan.first)?);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results");
    std::fs::write(folder.join(format!("sweep-{}.md", arguments.prefixes)), out)?;
    Ok(())
}
