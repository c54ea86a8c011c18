//! The figures of a run, and the pages made from them. The tests include this module, too: they
//! hold that no page says anything but what the figures say.

pub mod budgets;
mod growth;
mod page;
pub mod quote;
pub mod statistics;
pub mod words;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The folder of runs on a machine other than that of the record, which no other page quotes.
const ELSEWHERE: [&str; 2] = ["other-machine", "shared-machine"];

/// This project's name in the column of programs.
pub const OURS: &str = "ipam-rewind";
pub const COPY: &str = "psql COPY";
pub const DUMP: &str = "pg_dump -Fc";
pub const RESTIC: &str = "pg_dump, restic backup";
pub const BORG: &str = "pg_dump, borg create";
pub const CHECK: &str = "restic check --read-data";
pub const PG_RESTORE: &str = "pg_restore -j2";
pub const EMAJ: &str = "E-Maj rollback";

pub const FIRST: &str = "first backup";
pub const UNCHANGED: &str = "backup, nothing changed";
pub const REMOVED: &str = "backup, 1,000 rows removed";
pub const RANDOM: &str = "backup, 1,000 random rows";
pub const CLUSTERED: &str = "backup, 1,000 rows in 20 VRFs";
pub const TOUCHED: &str = "backup, all subnets touched";
pub const DIFF: &str = "diff, 1,000 rows";
pub const LIVE_DIFF: &str = "diff with live, 1,000 rows";
pub const PREVIEW: &str = "preview, 1,000 random rows";
pub const VERIFY: &str = "verify";
pub const RESTORE: &str = "restore, 1,000 random rows";
pub const RESTORE_ALL: &str = "restore into empty tables";

pub const IDLE: &str = "nothing";
pub const READERS: [&str; 2] = ["reader of a prefix", "reader of a VRF"];

/// All figures of a run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Run {
    /// Prefixes in the plan.
    pub prefixes: u64,
    /// Rows in all tables of the plan.
    pub plan_rows: u64,
    /// The plan in words.
    pub plan: String,
    /// How often everything was measured.
    pub rounds: u64,
    /// What it ran on.
    pub machine: String,
    /// The measured version of this project.
    pub commit: String,
    /// Every program that took part, with its version.
    #[serde(default)]
    pub versions: Vec<String>,
    /// What could not take part, and why.
    #[serde(default)]
    pub skipped: Vec<String>,
    /// What the programs took.
    pub rows: Vec<Row>,
    /// How long others waited meanwhile.
    #[serde(default)]
    pub waits: Vec<Wait>,
}

/// What one program took for one thing; one figure a round in each list.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Row {
    /// What was done.
    pub what: String,
    /// The program that did it.
    pub by: String,
    /// From start to end.
    pub seconds: Vec<f64>,
    /// CPU time of the program, or of all programs of a pipe.
    #[serde(default)]
    pub cpu_seconds: Vec<f64>,
    /// CPU time of the PostgreSQL server meanwhile.
    #[serde(default)]
    pub server_cpu_seconds: Vec<f64>,
    /// The most memory that the program had resident; of a pipe, its largest process.
    pub peak_bytes: Vec<u64>,
    /// By how much the files that it keeps grew.
    #[serde(default)]
    pub stored_bytes: Vec<u64>,
}

/// How long one client waited while something ran; one figure a round in each list.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Wait {
    /// What ran meanwhile.
    pub during: String,
    /// The client.
    pub who: String,
    /// How many operations it did.
    pub operations: Vec<u64>,
    /// The longest of its operations.
    pub longest_ms: Vec<f64>,
    /// What 99 in 100 of them stayed within.
    pub within_99_ms: Vec<f64>,
}

/// A page and what belongs into it.
pub struct Page {
    pub path: PathBuf,
    pub text: String,
}

impl Run {
    /// The row of a program, if it was measured.
    fn row(&self, what: &str, by: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.what == what && row.by == by)
    }
}

/// The row of a history.
pub fn history_over(backups: u64) -> String {
    format!("history of a row over {backups} backups")
}

/// All runs that a folder holds, the smallest plan first.
pub fn read(folder: &Path) -> io::Result<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            runs.push(serde_json::from_str(&fs::read_to_string(path)?)?);
        }
    }
    runs.sort_by_key(|run| run.prefixes);
    Ok(runs)
}

/// The page of each run.
fn own_pages(folder: &Path, runs: &[Run]) -> Vec<Page> {
    let own = |run: &Run| Page {
        path: folder.join(format!("cycle-{}.md", run.prefixes)),
        text: page::text(run),
    };
    runs.iter().map(own).collect()
}

/// Every page of the project that quotes the figures in `benches/results`, as it should be.
pub fn pages(project: &Path) -> io::Result<Vec<Page>> {
    let folder = project.join("benches/results");
    let runs = read(&folder)?;
    let mut pages = own_pages(&folder, &runs);
    for elsewhere in ELSEWHERE {
        let elsewhere = folder.join(elsewhere);
        pages.extend(own_pages(&elsewhere, &read(&elsewhere)?));
    }
    pages.push(Page { path: folder.join("growth.md"), text: growth::text(&runs) });
    if let Some(run) = runs.iter().find(|run| run.prefixes == quote::PREFIXES) {
        let quoting =
            [("README.md", quote::highlights(run)), ("docs/performance.md", quote::table(run))];
        for (name, table) in quoting {
            let path = project.join(name);
            let text = quote::replaced(&fs::read_to_string(&path)?, &table)?;
            pages.push(Page { path, text });
        }
    }
    Ok(pages)
}
