//! `copy`

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::output::{plural, size};
use crate::api::body::CopyReport as Body;
use crate::engine::{CopyReport, CopyRequest, EngineError};
use crate::model::BackupId;

/// Copy backups into another store
///
/// Only chunks that the other store lacks, or has only damaged, are sent. Each is checked before and
/// after. A copy that was interrupted goes on where it ended. Exits with 1 if a backup could not be
/// copied.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The other store: a folder, or s3://bucket/prefix; created if it does not exist
    #[arg(long, value_name = "STORE")]
    to: String,
    /// Backups to copy
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<String>,
    /// Copy all backups
    #[arg(long)]
    all: bool,
    /// Leave out safety backups
    #[arg(long, requires = "all")]
    without_safety_backups: bool,
}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let ids: Result<Vec<BackupId>, _> = self.ids.iter().map(|id| id.parse()).collect();
        let request = CopyRequest {
            to: self.to,
            ids: ids.map_err(EngineError::from)?,
            without_safety: self.without_safety_backups,
            earlier: None,
        };
        let engine = context.engine().await?;
        let report = context.run(async |run| engine.copy(&request, run).await).await?;
        context.print::<Body, _>(&report, text);
        if report.refused.is_empty() { Ok(()) } else { Err(CliError::NotCopied) }
    }
}

fn text(report: &CopyReport) -> String {
    let mut text = format!(
        "Copied {} to {}: {} in {}; {} already there",
        plural(report.copied.len() as u64, "backup"),
        report.to,
        size(report.stored_bytes),
        plural(report.new_chunks, "new chunk"),
        report.present.len(),
    );
    if !report.repaired.is_empty() {
        text += &format!("; {} repaired", report.repaired.len());
    }
    for refused in &report.refused {
        text += &format!("\nNOT copied: {}: {}", refused.backup_id, refused.why);
    }
    text
}
