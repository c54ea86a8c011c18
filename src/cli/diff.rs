//! `diff`

use clap::{Args, ValueEnum};

use super::context::Context;
use super::error::CliError;
use super::export::to_standard_output;
use super::output::{count, numbers, plain, table};
use crate::api::body;
use crate::engine::{CellChange, ChangeKind, DiffReport, Formulas, Point, RowChange, RowForm};
use crate::model::{Profile, RowCounts};

/// Show rows that differ between two backups, or a backup and live
#[derive(Debug, Args)]
pub struct Arguments {
    /// Backup id, or `live`
    from: String,
    /// Backup id, or `live`
    #[arg(default_value = "live")]
    to: String,
    /// Number of rows to list per dataset [default: 20; with --json 1000]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Write all differing rows in this format
    #[arg(long, conflicts_with = "limit")]
    format: Option<Format>,
    /// How CSV output treats values that a spreadsheet would run as a formula
    #[arg(long, value_enum, default_value_t = CsvFormulas::Raw, value_name = "FORM")]
    csv_formulas: CsvFormulas,
}

/// How CSV gives texts that begin like formulas.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum CsvFormulas {
    /// Write the value unchanged
    Raw,
    /// Put an apostrophe in front of the value
    Escape,
}

/// A form for other programs.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// One line per cell: dataset, table, key, change, column, old, new
    Csv,
    /// One JSON object per row
    Jsonl,
}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let (from, to): (Point, Point) = (self.from.parse()?, self.to.parse()?);
        let limit = self.limit.unwrap_or(if context.json() { 1000 } else { 20 });
        let engine = context.engine().await?;
        if let Some(format) = self.format {
            let form = match format {
                Format::Csv => RowForm::Csv(match self.csv_formulas {
                    CsvFormulas::Raw => Formulas::Raw,
                    CsvFormulas::Escape => Formulas::Escape,
                }),
                Format::Jsonl => RowForm::JsonLines,
            };
            let write = async |run: &_| {
                to_standard_output(engine.changed_rows(&from, &to, form, run).await?).await
            };
            context.run(write).await?;
            return Ok(());
        }
        let report = context.run(async |run| engine.diff(&from, &to, limit, run).await).await?;
        context.print::<body::DiffReport, _>(&report, text);
        Ok(())
    }
}

fn text(report: &DiffReport) -> String {
    let lacks = super::backup::lacking(&report.missing_tables);
    let between = format!("from {} to {}", report.from, report.to);
    if report.identical {
        return format!("Nothing differs {between}.{lacks}");
    }
    let left_out: String =
        report.left_out.iter().map(|it| format!("\nNot compared: {}", plain(it))).collect();
    if report.datasets.values().all(RowCounts::is_zero) {
        return format!("No row differs in what both have {between}.{left_out}{lacks}");
    }
    let mut summary = table(&["Dataset", "Added", "Changed", "of these touched", "Removed"]);
    for (dataset, counts) in &report.datasets {
        summary.add_row([
            dataset.name().to_owned(),
            count(counts.added),
            count(counts.changed),
            count(counts.touched),
            count(counts.removed),
        ]);
    }
    numbers(&mut summary, 1..=4);
    let more = if report.truncated { "\n… and more: --limit N shows them." } else { "" };
    format!("Changes {between}:\n{summary}{left_out}\n\n{}{more}{lacks}", rows(&report.changes))
}

/// Changed rows, one line each, and one more for each changed cell.
pub fn rows(changes: &[RowChange]) -> String {
    changes.iter().map(row).collect::<Vec<_>>().join("\n")
}

fn row(change: &RowChange) -> String {
    let (mark, cells) = match change.kind {
        ChangeKind::Added => ("+", inline(change, |cell| cell.new.as_ref())),
        ChangeKind::Removed => ("-", inline(change, |cell| cell.old.as_ref())),
        ChangeKind::Changed => {
            ("~", change.cells.iter().map(|c| format!("\n    {}", cell(c))).collect())
        }
    };
    format!("{mark} {} {}{cells}", change.table, plain(&change.key))
}

/// A value as people read it: text that could be taken for no value stands in quotes.
pub fn value(value: Option<&String>) -> String {
    match value.map(String::as_str) {
        None => "null".into(),
        Some(text @ ("" | "null")) => format!("{text:?}"),
        Some(text) => plain(text),
    }
}

/// A changed cell on one line.
pub fn cell(cell: &CellChange) -> String {
    let (old, new) = (value(cell.old.as_ref()), value(cell.new.as_ref()));
    format!("{}: {old} → {new}", cell.column)
}

/// What tells an added or removed row from its neighbours.
fn inline(change: &RowChange, side: impl Fn(&CellChange) -> Option<&String>) -> String {
    let telling = &Profile::builtin().summary_columns;
    let telling = change.cells.iter().filter(|cell| telling.contains(&cell.column));
    let words = telling.filter(|cell| side(cell) != Some(&change.key));
    words.map(|cell| format!(" {}={}", cell.column, value(side(cell)))).collect()
}
