//! `verify`

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::output::{count, numbers, table};
use crate::api::body;
use crate::engine::{EngineError, VerifyReport};
use crate::model::BackupId;

/// Verify every byte of backups
///
/// Without ids, reads every object in the store. Damage is reported with the file, backups and
/// datasets that it affects (exit code 4); the next backup of the same rows repairs it. Findings that
/// affect no backup are listed separately (exit code 0); the next cleanup repairs them.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Backups to verify [default: all, and the whole store]
    ids: Vec<String>,
}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let ids: Result<Vec<BackupId>, _> = self.ids.iter().map(|id| id.parse()).collect();
        let ids = ids.map_err(EngineError::from)?;
        let engine = context.engine().await?;
        let report = context.run(async |run| engine.verify(&ids, run).await).await?;
        context.print::<body::VerifyReport, _>(&report, text);
        if report.is_intact() { Ok(()) } else { Err(CliError::DamageFound) }
    }
}

fn text(report: &VerifyReport) -> String {
    let mut table = table(&["Backup", "Rows", "Result"]);
    for backup in &report.backups {
        let result = if backup.intact { "intact".into() } else { backup.damage.join("\n") };
        table.add_row([backup.backup_id.to_string(), count(backup.rows), result]);
    }
    numbers(&mut table, 1..=1);
    let verdict = match (report.is_intact(), report.backups.is_empty()) {
        (true, true) => "There is nothing to verify: the store has no backups.",
        (true, false) if report.elsewhere.is_empty() => "No damage found.",
        (true, false) => "No backup is damaged.",
        (false, _) => "DAMAGE was found.",
    };
    let table = if report.backups.is_empty() { String::new() } else { format!("{table}\n") };
    let lines = |list: &[String]| list.iter().map(|line| format!("{line}\n")).collect::<String>();
    let notes: String = report.notes.iter().map(|note| format!("\nNote: {note}.")).collect();
    format!("{table}{}{verdict}{notes}", lines(&report.elsewhere))
}
