//! The page of all runs beside each other: what grows with the plan, and what does not.

use super::budgets::memory;
use super::statistics::median;
use super::words::{count, figure};
use super::{DIFF, FIRST, OURS, RESTORE, Run, VERIFY};

/// The whole page, in Markdown.
pub fn text(runs: &[Run]) -> String {
    let mut out = HEAD.to_owned();
    out += &line("prefixes", runs, |run| Some(count(run.prefixes)));
    out += &line("---", runs, |_| Some("---:".into()));
    out += &line("commit", runs, |run| Some(run.commit.clone()));
    for what in [FIRST, VERIFY, RESTORE] {
        out += &figures(&format!("{what}, µs a row"), runs, |run| microseconds_a_row(run, what));
    }
    out += &figures(&format!("{DIFF}, ms"), runs, |run| Some(wall(run, DIFF)? * 1e3));
    out += &figures("memory of any verb, MiB", runs, memory);
    out
}

const HEAD: &str = "# What grows with the plan

Medians of wall time by the number of rows in all tables, of ipam-rewind alone; in parentheses the
multiple of the smallest plan. Diffs of 1,000 rows and memory should not grow at all: at 5,000,000
prefixes a diff may take 1.5 times what it takes at 1,000,000, and no verb more than 150 MiB.

";

fn line(head: &str, runs: &[Run], cell: impl Fn(&Run) -> Option<String>) -> String {
    let cells = runs.iter().map(|run| format!(" {} |", cell(run).unwrap_or_default()));
    format!("| {head} |{}\n", cells.collect::<String>())
}

fn figures(head: &str, runs: &[Run], value: impl Fn(&Run) -> Option<f64>) -> String {
    let smallest = runs.first().and_then(&value);
    line(head, runs, |run| {
        let value = value(run)?;
        let times = smallest.map(|smallest| format!(" ({})", figure(value / smallest)));
        Some(format!("{}{}", figure(value), times.unwrap_or_default()))
    })
}

fn wall(run: &Run, what: &str) -> Option<f64> {
    median(&run.row(what, OURS)?.seconds)
}

#[expect(clippy::cast_precision_loss, reason = "no plan comes near what a double holds")]
fn microseconds_a_row(run: &Run, what: &str) -> Option<f64> {
    Some(wall(run, what)? * 1e6 / run.plan_rows as f64)
}
