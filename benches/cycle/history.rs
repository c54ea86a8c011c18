//! The history of one row over many backups: made once, at the end, since making them takes long.

use anyhow::Result;
use ipam_rewind::embedded::sample;
use sqlx::{Connection, PgConnection};

use crate::bench::Bench;
use crate::measure;
use crate::programs;
use crate::results::{OURS, history_over};

/// Rows that change between two backups.
const ROWS: u64 = 100;
/// How often the history is asked for.
const TIMES: u64 = 5;

/// Makes `backups` backups of a plan that changes, and measures the history of a row that did.
pub async fn run(bench: &mut Bench, backups: u64) -> Result<()> {
    let what = history_over(backups);
    eprintln!("making {backups} backups, each after {ROWS} rows changed");
    let url = bench.fresh_plan().await?;
    let mut plan = PgConnection::connect(&url).await?;
    let store = bench.folder("history")?;
    for number in 0..backups {
        if number > 0 {
            sample::edit_random(&mut plan, ROWS, number).await?;
        }
        measure::pipe(vec![programs::rewind(&store, &url, &["backup"])])?;
    }
    let key = changed_by(&mut plan, backups / 2).await?;
    for _ in 0..TIMES {
        let history = programs::rewind(&store, &url, &["history", "prefix", &key]);
        bench.measure(&what, OURS, vec![history])?;
    }
    Ok(())
}

/// A row that an edit changed, and that no later edit changed again.
async fn changed_by(plan: &mut PgConnection, edit: u64) -> Result<String> {
    let changed = "SELECT min(prefix_id) FROM prefix
                   WHERE tags @> jsonb_build_object('ticket', 'CHG-' || $1)";
    Ok(sqlx::query_scalar(changed).bind(edit.to_string()).fetch_one(plan).await?)
}
