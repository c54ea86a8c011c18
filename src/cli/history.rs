//! `history`

use clap::Args;

use super::context::Context;
use super::diff::{cell, value};
use super::error::CliError;
use super::output::{self, count, numbers, plain, plural, table, whole};
use crate::api::body;
use crate::engine::{History, RowVersion, VersionKind};

/// Show the versions of one row in all backups, newest first
///
/// Reads backups only; `diff ID` compares one with the live database. Exits with 0 if no backup has
/// the row.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Table: vrf, vpc, prefix, vpc_prefix_association or device42_ipaddress
    table: String,
    /// Key as `diff` shows it; several columns are separated by ", "
    key: String,
}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let history = context.engine().await?.history(&self.table, &self.key).await?;
        context.print::<body::History, _>(&history, text);
        output::errors(&history.unreadable);
        Ok(())
    }
}

fn text(history: &History) -> String {
    let row = format!("{} {}", history.table, plain(&history.key));
    let backups = plural(history.backups as u64, "backup");
    if history.versions.is_empty() {
        return format!("No backup has a row {row} ({backups} looked at).");
    }
    let mut versions = table(&["First in", "Last in", "Backups", "Dataset", "", "Cells"]);
    for version in &history.versions {
        versions.add_row([
            version.first.backup_id.to_string(),
            version.last.backup_id.to_string(),
            count(version.backups as u64),
            version.dataset.name().to_owned(),
            what_happened(version).to_owned(),
            cells(version),
        ]);
    }
    numbers(&mut versions, 2..=2);
    whole(&mut versions, 0..=4);
    format!("{row} in {backups}, newest first:\n{versions}")
}

fn what_happened(version: &RowVersion) -> &'static str {
    match version.kind {
        VersionKind::Unchanged => "there already",
        VersionKind::Added => "added",
        VersionKind::Changed if version.touched => "touched",
        VersionKind::Changed => "changed",
        VersionKind::Removed => "removed",
    }
}

/// One line each: the new value, or from what to what. What a removed row held stands below.
fn cells(version: &RowVersion) -> String {
    let cells = version.cells.iter();
    let lines: Vec<_> = match version.kind {
        VersionKind::Removed => Vec::new(),
        VersionKind::Changed => cells.map(cell).collect(),
        VersionKind::Added | VersionKind::Unchanged => {
            cells.map(|cell| format!("{}: {}", cell.column, value(cell.new.as_ref()))).collect()
        }
    };
    lines.join("\n")
}
