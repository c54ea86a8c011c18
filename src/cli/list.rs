//! `list`

use std::collections::BTreeMap;

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::output::{self, count, numbers, plain, size, table, time, whole};
use crate::api::body;
use crate::engine::{BackupInfo, BackupList, EngineError, Listed};
use crate::model::{BackupKind, Source, Status};
use crate::store::StoreError;

/// List the backups, newest first
#[derive(Debug, Args)]
pub struct Arguments {}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let list = match context.engine().await {
            Ok(engine) => engine.list().await?,
            Err(CliError::Engine(EngineError::Store(error @ StoreError::NoStore(_)))) => {
                context.say(&format!("{error}; `ipam-rewind backup` makes it"));
                BackupList::default()
            }
            Err(error) => return Err(error),
        };
        context.print::<body::BackupList, _>(&list, text);
        output::errors(&list.unreadable);
        Ok(())
    }
}

/// The mark of a safety backup; deliberate ones have none.
pub fn mark(kind: BackupKind) -> &'static str {
    match kind {
        BackupKind::Full => "",
        BackupKind::PreRestore => "pre-restore",
    }
}

/// What is worth knowing at a glance.
fn marks(info: &BackupInfo) -> String {
    let marks = [
        (info.status == Status::Corrupt, "corrupt"),
        (info.backup_type == BackupKind::PreRestore, mark(BackupKind::PreRestore)),
        (info.pinned, "pinned"),
        (info.verification.is_some() && info.status == Status::Completed, "verified"),
        (info.restore_tested, "restore-tested"),
    ];
    marks.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect::<Vec<_>>().join(", ")
}

fn text(list: &BackupList) -> String {
    if list.backups.is_empty() && !list.unreadable.is_empty() {
        return "No backup can be read.".into();
    }
    if list.backups.is_empty() {
        return "No backups found".into();
    }
    let mut table =
        table(&["Backup", "Created (UTC)", "Rows", "Logical", "Stored", "Description", ""]);
    for backup in &list.backups {
        let info = &backup.info;
        table.add_row([
            info.backup_id.to_string(),
            time(&info.timestamp),
            count(info.rows()),
            size(info.size),
            size(info.added_size),
            plain(&info.description),
            marks(info),
        ]);
    }
    numbers(&mut table, 2..=4);
    whole(&mut table, 0..=4);
    format!("{table}{}{}", sources(list), lacking(list))
}

/// The databases that the backups of the list were taken from, a line each.
fn sources(list: &BackupList) -> String {
    let of = |backup: &Listed| plain(&Source::from(&backup.info.snapshot).to_string());
    let sources: BTreeMap<String, usize> =
        list.backups.iter().fold(BTreeMap::new(), |mut all, it| {
            *all.entry(of(it)).or_default() += 1;
            all
        });
    let all = list.backups.len();
    sources.iter().map(|(source, of)| format!("\n{of} of {all} taken from {source}")).collect()
}

/// The tables that backups of the list lack, a line each.
fn lacking(list: &BackupList) -> String {
    let mut lacks: BTreeMap<String, usize> = BTreeMap::new();
    for table in list.backups.iter().flat_map(|backup| &backup.info.missing_tables) {
        *lacks.entry(plain(&table.to_string())).or_default() += 1;
    }
    let all = list.backups.len();
    lacks.iter().map(|(table, of)| format!("\nNot covered by {of} of {all}: {table}")).collect()
}
