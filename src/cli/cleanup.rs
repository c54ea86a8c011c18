//! `cleanup`

use clap::Args;

use super::context::Context;
use super::delete::freed;
use super::error::CliError;
use super::keep_rules::KeepRules;
use super::list::mark;
use super::output::{plain, size, table};
use crate::api::body;
use crate::engine::{CleanupReport, Judged};
use crate::model::{Policy, Reason, Status};

/// Delete backups that no retention rule keeps
///
/// A backup is kept if any rule keeps it. Pinned backups, the newest good backup, and the safety
/// backup of a restore of the past day always stay.
/// Safety backups follow --keep-pre-restore only and do not count toward other rules; damaged
/// backups do not displace good ones. Does not ask.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Number of newest backups to keep
    #[arg(default_value_t = Policy::LAST)]
    keep: usize,
    #[command(flatten)]
    rules: KeepRules,
    /// Allow deleting all backups
    #[arg(long)]
    allow_empty: bool,
    /// Show what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let engine = context.engine().await?;
        let allow_empty = self.allow_empty;
        let policy = Policy { allow_empty, ..self.rules.policy(self.keep) };
        let clean = async |run: &_| engine.cleanup(&policy, self.dry_run, run).await;
        let report = context.run(clean).await?;
        context.print::<body::CleanupReport, _>(&report, text);
        Ok(())
    }
}

fn why(judged: &Judged) -> String {
    let word = |reason: &Reason| match reason {
        Reason::Pinned => "pinned",
        Reason::Last => "one of the newest",
        Reason::Hourly => "hourly",
        Reason::Daily => "daily",
        Reason::Weekly => "weekly",
        Reason::Monthly => "monthly",
        Reason::Yearly => "yearly",
        Reason::Within => "within the period",
        Reason::PreRestore => "safety backup of a recent restore",
        Reason::NewestGood => "newest good backup",
        Reason::Undo => "undoes the last restore",
        Reason::StateUnreadable => "may be pinned: its state cannot be read",
    };
    let damaged = (judged.status == Status::Corrupt).then_some("damaged, so it takes no place");
    let words = damaged.into_iter().chain(judged.kept_because.iter().map(word));
    words.collect::<Vec<_>>().join(", ")
}

fn text(report: &CleanupReport) -> String {
    let goes = if report.dry_run { "would go" } else { "deleted" };
    let mut backups = table(&["Backup", "", "Because", "Description", ""]);
    for judged in &report.kept {
        let id = judged.backup_id.to_string();
        backups.add_row([
            id,
            "kept".into(),
            why(judged),
            plain(&judged.description),
            mark(judged.backup_type).into(),
        ]);
    }
    for judged in &report.deleted {
        let id = judged.backup_id.to_string();
        let because = "no rule keeps it".into();
        backups.add_row([
            id,
            goes.into(),
            because,
            plain(&judged.description),
            mark(judged.backup_type).into(),
        ]);
    }
    let freed = if report.dry_run {
        let notes = report.freed.notes.iter().map(|note| format!("\n{}", plain(note)));
        format!("about {} would be freed{}", size(report.freed.bytes), notes.collect::<String>())
    } else {
        freed(&report.freed)
    };
    format!("{backups}\n{}\n{freed}", body::CleanupReport::message(report))
}
