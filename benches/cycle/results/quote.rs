//! The tables of figures in `README.md` and `docs/performance.md`.

use std::io;

use super::words::{count, mebibytes, medium, megabytes};
use super::{BORG, CHECK, DUMP, FIRST, OURS, PG_RESTORE, RANDOM, RESTIC, RESTORE, Row, Run};

/// The size of the plan whose figures are quoted.
pub const PREFIXES: u64 = 1_000_000;

const BEGIN: &str = "<!-- bench:begin -->\n";
const END: &str = "<!-- bench:end -->\n";

/// Returns `page` with `table` between its markers.
///
/// # Errors
/// If the page has no markers.
pub fn replaced(page: &str, table: &str) -> io::Result<String> {
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let (before, after) = parts.ok_or_else(|| {
        io::Error::other(format!("no place for the figures between {BEGIN:?} and {END:?}"))
    })?;
    Ok(format!("{before}{BEGIN}{table}{END}{after}"))
}

/// Returns the table of `README.md`: three operations of this project.
pub fn highlights(run: &Run) -> String {
    let mut out = format!(
        "| {} prefixes | time | growth of the store | memory |\n| --- | ---: | ---: | ---: |\n",
        count(run.prefixes)
    );
    for row in [FIRST, RANDOM, RESTORE].iter().filter_map(|what| run.row(what, OURS)) {
        let time = medium(&row.seconds, " s");
        let (stored, memory) = (megabytes(&row.stored_bytes), mebibytes(&row.peak_bytes));
        out += &format!("| {} | {time} | {stored} | {memory} |\n", row.what);
    }
    out
}

/// Each column by its heading and the programs that it stands for.
const COLUMNS: [(&str, &[&str]); 4] = [
    (OURS, &[OURS]),
    ("pg_dump -Fc, pg_restore -j2", &[DUMP, PG_RESTORE]),
    ("pg_dump, restic", &[RESTIC, CHECK]),
    ("pg_dump, borg", &[BORG]),
];

/// Returns the table of `docs/performance.md`: all operations, beside other programs.
pub fn table(run: &Run) -> String {
    let heads: String = COLUMNS.iter().map(|(head, _)| format!(" {head} |")).collect();
    let mut out = format!(
        "{} prefixes, {} rows; {}; commit {}. Median wall time, and by how much the store grew:\n\n\
         | |{heads} memory |\n| --- |{} ---: |\n",
        count(run.prefixes),
        count(run.plan_rows),
        run.machine,
        run.commit,
        " ---: |".repeat(COLUMNS.len()),
    );
    for ours in run.rows.iter().filter(|row| row.by == OURS) {
        let cells: String = COLUMNS.iter().map(|(_, programs)| cell(run, ours, programs)).collect();
        out += &format!("| {} |{cells} {} |\n", ours.what, mebibytes(&ours.peak_bytes));
    }
    out
}

fn cell(run: &Run, ours: &Row, programs: &[&str]) -> String {
    let row = programs.iter().find_map(|by| run.row(&ours.what, by));
    let words = row.map(|row| {
        let stored = megabytes(&row.stored_bytes);
        let comma = if stored.is_empty() { "" } else { ", " };
        format!("{}{comma}{stored}", medium(&row.seconds, " s"))
    });
    format!(" {} |", words.unwrap_or_default())
}
