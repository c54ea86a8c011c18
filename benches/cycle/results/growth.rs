//! The page that compares runs of different sizes.

use super::budgets::{Budget, memory, memory_budget, table};
use super::statistics::{median, ratio};
use super::words::{count, figure};
use super::{COPY, DIFF, FIRST, OURS, RESTORE, Run, VERIFY};

/// The whole page, in Markdown.
pub fn text(runs: &[Run]) -> String {
    let mut out = HEAD.to_owned();
    out += &line("prefixes", runs, |run| Some(count(run.prefixes)));
    out += &line("---", runs, |_| Some("---:".into()));
    out += &line("commit", runs, |run| Some(run.commit.clone()));
    for what in BY_ROWS {
        let head = format!("{what}, µs a row");
        out += &figures(&head, runs, |run| microseconds_a_row(run, what, OURS));
    }
    let head = format!("{COPY}, µs a row");
    out += &figures(&head, runs, |run| microseconds_a_row(run, FIRST, COPY));
    out += &figures(&format!("{FIRST} / {COPY}"), runs, |run| {
        ratio(&run.row(FIRST, OURS)?.seconds, &run.row(FIRST, COPY)?.seconds)
    });
    out += &figures(&format!("{DIFF}, ms"), runs, |run| Some(wall(run, DIFF, OURS)? * 1e3));
    out += &figures("memory of any command, MiB", runs, memory);
    let times = BY_ROWS.map(|what| flat_time(runs, what));
    out + "\n" + &table(times.into_iter().chain([flat_diff(runs), flat_memory(runs)]))
}

/// What takes longer the more rows there are.
const BY_ROWS: [&str; 3] = [FIRST, VERIFY, RESTORE];

const HEAD: &str = "# Scaling

Median wall time for each row of all tables. Values are those of ipam-rewind unless another program is
named; in parentheses the multiple of the smallest plan.

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

/// A row of a larger plan takes no longer than one of a smaller plan, but for a fifth.
fn flat_time(runs: &[Run], what: &str) -> Budget {
    let times: Vec<_> = runs.iter().filter_map(|run| microseconds_a_row(run, what, OURS)).collect();
    let growth = times.windows(2).map(|pair| pair[1] / pair[0]);
    Budget {
        what: format!("{what}, a row: a plan / the next smaller one"),
        at_most: 1.2,
        unit: "",
        measured: growth.reduce(f64::max),
    }
}

/// A diff takes as long as the change is large, not the plan.
fn flat_diff(runs: &[Run]) -> Budget {
    let at = |prefixes| wall(runs.iter().find(|run| run.prefixes == prefixes)?, DIFF, OURS);
    Budget {
        what: format!("{DIFF}: 5,000,000 prefixes / 1,000,000 prefixes"),
        at_most: 1.5,
        unit: "",
        measured: at(5_000_000).zip(at(1_000_000)).map(|(large, small)| large / small),
    }
}

/// Memory stays within its budget at every size.
fn flat_memory(runs: &[Run]) -> Budget {
    memory_budget(runs.iter().filter_map(memory).reduce(f64::max))
}

fn wall(run: &Run, what: &str, by: &str) -> Option<f64> {
    median(&run.row(what, by)?.seconds)
}

#[expect(clippy::cast_precision_loss, reason = "no plan comes near what a double holds")]
fn microseconds_a_row(run: &Run, what: &str, by: &str) -> Option<f64> {
    Some(wall(run, what, by)? * 1e6 / run.plan_rows as f64)
}
