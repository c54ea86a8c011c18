//! `backup`

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::output::{count, numbers, plain, plural, size, table};
use crate::engine::{BackupCreated, BackupInfo, BackupRequest};
use crate::model::MissingTable;

/// Create a backup
///
/// Reads one consistent snapshot of all tables while the application goes on, and stores what is
/// not in the store yet. The new backup is complete: no other is needed to restore it.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to call it, for example "Before the VLAN import"
    description: Option<String>,
    /// Go on where the database lacks a table that the backup before has
    #[arg(long)]
    allow_missing_tables: bool,
}

impl Arguments {
    /// Runs the verb.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let engine = context.engine_for_writing().await?;
        let request = BackupRequest {
            description: self.description,
            created_by: None,
            allow_missing_tables: self.allow_missing_tables,
        };
        let created = context.run(async |run| engine.backup(request, run).await).await?;
        context.print(&created, text);
        Ok(())
    }
}

fn text(created: &BackupCreated) -> String {
    let info = &created.backup_info;
    format!(
        "Backup {} created: {}\n{}\n{} of rows, {} added to the store{}",
        info.backup_id,
        plain(&info.description),
        datasets(info),
        size(info.size),
        size(info.added_size),
        lacking(&info.missing_tables)
    )
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
