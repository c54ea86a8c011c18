//! The page of one run: every row, the waits, the budgets.

use std::fmt::Write as _;

use super::budgets;
use super::statistics::{floats, median, ratio};
use super::words::{count, figure, mebibytes, medium, megabytes, range};
use super::{IDLE, OURS, Row, Run};

/// The whole page, in Markdown.
pub fn text(run: &Run) -> String {
    let mut out = format!("# The cycle at {} prefixes\n\n{}\n", count(run.prefixes), facts(run));
    out += HOW;
    out += &rows(run);
    if !run.waits.is_empty() {
        out += WAITING;
        out += &waits(run);
    }
    out += "\n## Budgets\n\nThey are meant for 1,000,000 prefixes.\n\n";
    out + &budgets::of_run(run)
}

const HOW: &str = "\
Each program ran as its own process, in turn with the others, all on one private, durable PostgreSQL.
Medians; \"times\" is the wall time as a multiple of ipam-rewind's. CPU is that of the program or of all
programs of a pipe, \"server\" that of PostgreSQL meanwhile. Memory is the most that the program, or a pipe's
largest process, had resident. Stored is by how much its files grew. `psql COPY` writes all rows to
/dev/null. The pipes are `pg_dump -Fp` into `restic backup --stdin` (with a password and its default compression)
and into `borg create` (unencrypted, default compression), each into a new repository a round, made
beforehand. After any change `pg_dump -Fc` stores everything again.

";

const WAITING: &str = "
## What others wait

Three clients on connections of their own, each with a pause of 5 ms after each operation: one reads a
prefix by its key, one lists a VRF, one updates the tags of a prefix. Meanwhile ran one restore of 1,000
random rows; then, for as long as that took, nothing, backups, and `pg_dump -Fc`. A writer waits for the
end of a restore by design. Milliseconds; the longest of all rounds.

";

fn facts(run: &Run) -> String {
    let rounds = if run.rounds == 1 { "round" } else { "rounds" };
    let mut out = format!("- Plan: {}\n- Machine: {}\n", run.plan, run.machine);
    let _ = writeln!(out, "- {} {rounds}, commit {}", run.rounds, run.commit);
    if !run.versions.is_empty() {
        let _ = writeln!(out, "- Versions: {}", run.versions.join(", "));
    }
    for skipped in &run.skipped {
        let _ = writeln!(out, "- {skipped}");
    }
    out
}

fn rows(run: &Run) -> String {
    let mut out =
        "| what | program | wall | spread | times | CPU | server | memory | stored |\n".to_owned();
    out += "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    for what in in_order(run) {
        let mut head = what;
        let mut rows: Vec<_> = run.rows.iter().filter(|row| row.what == what).collect();
        rows.sort_by_key(|row| row.by != OURS);
        for row in rows {
            out += &line(run, row, head);
            head = "";
        }
    }
    out
}

/// All that was done, in the order in which ipam-rewind did it first.
fn in_order(run: &Run) -> Vec<&str> {
    let ours = run.rows.iter().filter(|row| row.by == OURS);
    let mut order = Vec::new();
    for row in ours.chain(&run.rows) {
        if !order.contains(&row.what.as_str()) {
            order.push(row.what.as_str());
        }
    }
    order
}

fn line(run: &Run, row: &Row, what: &str) -> String {
    let ours = run.row(&row.what, OURS).filter(|_| row.by != OURS);
    let times = ours.and_then(|ours| ratio(&row.seconds, &ours.seconds));
    format!(
        "| {what} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        row.by,
        medium(&row.seconds, " s"),
        range(&row.seconds),
        times.map(figure).unwrap_or_default(),
        medium(&row.cpu_seconds, " s"),
        medium(&row.server_cpu_seconds, " s"),
        mebibytes(&row.peak_bytes),
        megabytes(&row.stored_bytes),
    )
}

fn waits(run: &Run) -> String {
    let mut out = "| who | while | operations | 99 % | longest |\n".to_owned();
    out += "| --- | --- | ---: | ---: | ---: |\n";
    let mut waits: Vec<_> = run.waits.iter().collect();
    waits.sort_by_key(|wait| (&wait.who, wait.during != IDLE));
    for wait in waits {
        let longest = wait.longest_ms.iter().copied().reduce(f64::max).unwrap_or_default();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            wait.who,
            wait.during,
            median(&floats(&wait.operations)).unwrap_or_default().round(),
            medium(&wait.within_99_ms, ""),
            figure(longest)
        );
    }
    out
}
