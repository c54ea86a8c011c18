//! What a run may take at most, and whether it did.

use super::statistics::{floats, median, ratio};
use super::words::figure;
use super::{
    CHECK, CLUSTERED, COPY, DIFF, DUMP, EMAJ, FIRST, IDLE, LIVE_DIFF, OURS, PG_RESTORE, PREVIEW,
    RANDOM, READERS, REMOVED, RESTORE, RESTORE_ALL, Row, Run, TOUCHED, UNCHANGED, VERIFY,
    history_over,
};

/// The memory that any command may take, in MiB.
const MEMORY: f64 = 110.0;

/// What something may take.
pub struct Budget {
    pub what: String,
    pub at_most: f64,
    pub unit: &'static str,
    pub measured: Option<f64>,
}

/// All budgets of a run as a table.
pub fn of_run(run: &Run) -> String {
    let all = times(run).into_iter().chain(sizes(run)).chain(waits(run)).chain(absolute(run));
    table(all)
}

/// Budgets as a table that says of each whether it was met.
pub fn table(budgets: impl IntoIterator<Item = Budget>) -> String {
    let mut out = "| what | at most | measured | |\n| --- | ---: | ---: | --- |\n".to_owned();
    for Budget { what, at_most, unit, measured } in budgets {
        let verdict = match measured {
            Some(value) if value <= at_most => "met",
            Some(_) => "**missed**",
            None => "not measured",
        };
        let measured = measured.map(|value| format!("{}{unit}", figure(value)));
        let measured = measured.unwrap_or_default();
        out += &format!("| {what} | {at_most}{unit} | {measured} | {verdict} |\n");
    }
    out
}

fn times(run: &Run) -> Vec<Budget> {
    let wall = |(what, by), at_most, (to_what, to_by): (&str, &str)| Budget {
        what: format!("{what} / {to_by}"),
        at_most,
        unit: "",
        measured: both(run.row(what, by), run.row(to_what, to_by), |row| row.seconds.clone()),
    };
    vec![
        wall((FIRST, OURS), 1.2, (FIRST, COPY)),
        wall((UNCHANGED, OURS), 0.2, (UNCHANGED, COPY)),
        wall((RANDOM, OURS), 0.3, (UNCHANGED, COPY)),
        wall((REMOVED, OURS), 0.5, (UNCHANGED, COPY)),
        wall((LIVE_DIFF, OURS), 0.35, (UNCHANGED, COPY)),
        wall((PREVIEW, OURS), 0.35, (UNCHANGED, COPY)),
        wall((RESTORE, OURS), 0.8, (UNCHANGED, COPY)),
        wall((RESTORE, OURS), 0.12, (RESTORE_ALL, PG_RESTORE)),
        wall((RESTORE, OURS), 4.0, (RESTORE, EMAJ)),
        wall((RESTORE_ALL, OURS), 1.3, (RESTORE_ALL, PG_RESTORE)),
        wall((VERIFY, OURS), 1.0, (VERIFY, CHECK)),
    ]
}

fn sizes(run: &Run) -> Vec<Budget> {
    let first = run.row(FIRST, OURS);
    let stored = |row: &Row| floats(&row.stored_bytes);
    let growth = |what: &str, at_most| Budget {
        what: format!("{what}: growth / first backup"),
        at_most,
        unit: " %",
        measured: both(run.row(what, OURS), first, stored).map(|share| share * 100.0),
    };
    let dump = Budget {
        what: format!("{FIRST}: stored / {DUMP}"),
        at_most: 1.0,
        unit: "",
        measured: both(first, run.row(FIRST, DUMP), stored),
    };
    vec![dump, growth(RANDOM, 3.0), growth(CLUSTERED, 0.3), growth(TOUCHED, 0.5)]
}

fn waits(run: &Run) -> Vec<Budget> {
    let longest = |who: &str, during: &str| {
        let wait = run.waits.iter().find(|wait| wait.who == who && wait.during == during)?;
        wait.longest_ms.iter().copied().reduce(f64::max)
    };
    let budget = |who| Budget {
        what: format!("longest wait of the {who}: {RESTORE} / {IDLE}"),
        at_most: 1.0,
        unit: "",
        measured: longest(who, RESTORE).zip(longest(who, IDLE)).map(|(busy, idle)| busy / idle),
    };
    READERS.map(budget).into()
}

fn absolute(run: &Run) -> Vec<Budget> {
    let milliseconds = |row: &Row| median(&row.seconds).map(|seconds| seconds * 1e3);
    let history = run.row(&history_over(100), OURS);
    let diff = run.row(DIFF, OURS);
    vec![
        memory_budget(memory(run)),
        Budget {
            what: format!("{DIFF}, two backups"),
            at_most: 60.0,
            unit: " ms",
            measured: diff.and_then(milliseconds),
        },
        Budget {
            what: history_over(100),
            at_most: 100.0,
            unit: " ms",
            measured: history.and_then(milliseconds),
        },
    ]
}

/// The memory budget of all commands, with the measured value.
pub fn memory_budget(measured: Option<f64>) -> Budget {
    Budget { what: "memory of any command".into(), at_most: MEMORY, unit: " MiB", measured }
}

/// Returns the most memory that any command of ours took, in MiB.
pub fn memory(run: &Run) -> Option<f64> {
    let ours = run.rows.iter().filter(|row| row.by == OURS);
    let peaks = ours.flat_map(|row| floats(&row.peak_bytes));
    peaks.reduce(f64::max).map(|bytes| bytes / f64::from(1 << 20))
}

fn both(of: Option<&Row>, to: Option<&Row>, values: impl Fn(&Row) -> Vec<f64>) -> Option<f64> {
    ratio(&values(of?), &values(to?))
}
