//! `backup`

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::output::{count, numbers, plain, plural, size, table};
use crate::api::body;
use crate::engine::{BackupCreated, BackupInfo, BackupRequest, Reading};
use crate::model::{Age, CaptureInfo, CaptureMode, MissingTable};

/// Create a backup
///
/// Reads one consistent snapshot of all tables without blocking the application, and stores only
/// new data. Every backup is complete: a restore needs no other backup.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Description, for example "Before the VLAN import"; several words need no quotes
    #[arg(value_name = "DESCRIPTION")]
    description: Vec<String>,
    /// Back up even if a table of the previous backup is missing
    #[arg(long)]
    allow_missing_tables: bool,
    /// Read all rows, even where it can be told which changed
    #[arg(long)]
    full: bool,
    /// Read all rows if they were not all read for so long, like 36h, 14d or 8w, and compare
    #[arg(long, value_name = "AGE", default_value = "24h")]
    full_every: Age,
    /// Base backups on earlier ones again after a mismatch was found
    #[arg(long)]
    resume_incremental: bool,
}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let engine = context.engine_for_writing().await?.with_full_every(self.full_every);
        let words = self.description.join(" ");
        let request = BackupRequest {
            description: (!words.is_empty()).then_some(words),
            created_by: None,
            allow_missing_tables: self.allow_missing_tables,
            reading: Reading {
                full: self.full,
                resume: self.resume_incremental,
                ..Reading::default()
            },
            automatic: false,
        };
        let created = context.run(async |run| engine.backup(request, run).await).await?;
        context.print::<body::BackupCreated, _>(&created, text);
        Ok(())
    }
}

fn text(created: &BackupCreated) -> String {
    let info = &created.backup_info;
    format!(
        "Backup {} created: {}\n{}\n{} of rows, {} added to the store\n{}{}",
        info.backup_id,
        plain(&info.description),
        datasets(info),
        size(info.size),
        size(info.added_size),
        read(info.capture.as_ref()),
        lacking(&info.missing_tables)
    )
}

/// How the rows of a backup were read, in a sentence; with what is amiss on lines of its own.
pub fn read(capture: Option<&CaptureInfo>) -> String {
    let Some(capture) = capture else { return "How its rows were read is not known".into() };
    let rows = plural(capture.rows_read, "row");
    let mut text = match (capture.mode, &capture.base, &capture.reason) {
        (CaptureMode::Changes, Some(base), _) => format!("Read: {rows} that changed since {base}"),
        (_, _, Some(reason)) => format!("Read: all {rows}, as {}", plain(reason)),
        _ => format!("Read: {rows}"),
    };
    for (table, reason) in &capture.tables {
        text += &format!("\n      all of {}: {}", plain(table), plain(reason));
    }
    for mismatch in &capture.mismatch {
        text += &format!("\nMISMATCH  {}", plain(mismatch));
    }
    text
}

/// The tables that are not covered, a line each; nothing if there are none.
pub fn lacking(missing: &[MissingTable]) -> String {
    missing.iter().map(|table| format!("\nNot covered  {}", plain(&table.to_string()))).collect()
}

/// What a backup holds, as a table.
pub fn datasets(info: &BackupInfo) -> String {
    let mut table = table(&["Dataset", "Rows", "Size", "Root"]);
    for (dataset, summary) in &info.datasets {
        table.add_row([
            dataset.name().to_owned(),
            count(summary.rows),
            size(summary.bytes),
            summary.root.short(),
        ]);
    }
    numbers(&mut table, 1..=2);
    format!("{table}\n{}", plural(info.rows(), "row"))
}
