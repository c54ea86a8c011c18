//! The short table in the project's first page.

use std::io;

use super::words::{count, mebibytes, medium, megabytes};
use super::{BORG, CHECK, DUMP, OURS, PG_RESTORE, RESTIC, Row, Run};

/// The size of the plan whose figures are quoted.
pub const PREFIXES: u64 = 1_000_000;

const BEGIN: &str = "<!-- bench:begin -->\n";
const END: &str = "<!-- bench:end -->\n";

/// The page with the table of `run` between its markers.
pub fn replaced(page: &str, run: &Run) -> io::Result<String> {
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let (before, after) = parts.ok_or_else(|| {
        io::Error::other(format!("no place for the figures between {BEGIN:?} and {END:?}"))
    })?;
    Ok(format!("{before}{BEGIN}{}{END}{after}", table(run)))
}

/// Each column by its heading and the programs that it stands for.
const COLUMNS: [(&str, &[&str]); 4] = [
    (OURS, &[OURS]),
    ("pg_dump -Fc, pg_restore -j2", &[DUMP, PG_RESTORE]),
    ("pg_dump, restic", &[RESTIC, CHECK]),
    ("pg_dump, borg", &[BORG]),
];

fn table(run: &Run) -> String {
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
