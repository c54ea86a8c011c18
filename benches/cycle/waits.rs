//! How long others wait while something runs, beside how long they wait for nothing.

use std::time::{Duration, Instant};

use anyhow::Result;
use ipam_rewind::embedded::sample;
use tokio::task::block_in_place;

use crate::clients::{AtWork, Subjects};
use crate::measure;
use crate::programs;
use crate::results::{DUMP, IDLE, RESTORE};
use crate::round::Round;

/// Rows that differ when the restore begins.
const ROWS: u64 = 1_000;

/// Lets clients work beside a restore, and then for as long beside nothing, backups and dumps.
pub async fn run(round: &mut Round<'_>, id: &str) -> Result<()> {
    let subjects = Subjects::of(&mut round.plan).await?;
    sample::edit_random(&mut round.plan, ROWS, 2_000).await?;
    let (store, url, dump) = (round.store(), round.url.clone(), round.dump());
    let postgres = round.bench.server.bin_dir().to_owned();
    let rewind = |verb: &[&str]| measure::pipe(vec![programs::rewind(&store, &url, verb)]);

    let clients = AtWork::begin(&url, &subjects).await?;
    let lasted = block_in_place(|| rewind(&["restore", id]))?.wall;
    note(round, RESTORE, clients).await?;

    let clients = AtWork::begin(&url, &subjects).await?;
    tokio::time::sleep(lasted).await;
    note(round, IDLE, clients).await?;

    let clients = AtWork::begin(&url, &subjects).await?;
    block_in_place(|| again_for(lasted, || rewind(&["backup"]).map(drop)))?;
    note(round, "backup", clients).await?;

    let clients = AtWork::begin(&url, &subjects).await?;
    let pg_dump = || measure::pipe(vec![programs::dump(&postgres, &url, &dump)]).map(drop);
    block_in_place(|| again_for(lasted, pg_dump))?;
    note(round, DUMP, clients).await
}

/// Does something at least once, and again until a time is over.
fn again_for(time: Duration, mut something: impl FnMut() -> Result<()>) -> Result<()> {
    let began = Instant::now();
    loop {
        something()?;
        if began.elapsed() >= time {
            return Ok(());
        }
    }
}

async fn note(round: &mut Round<'_>, during: &str, clients: AtWork) -> Result<()> {
    for (who, operations) in clients.end().await? {
        round.bench.run.waited(during, who, operations);
    }
    Ok(())
}
