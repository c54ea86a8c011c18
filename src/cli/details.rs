//! `details`

use std::time::Duration;

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::output::{numbers, plain, size, table, time};
use crate::api::body;
use crate::engine::{BackupInfo, Details, EngineError};
use crate::model::{BackupId, BackupKind, Source};

/// Show metadata, files, sizes and validation of one backup
#[derive(Debug, Args)]
pub struct Arguments {
    /// Backup id, as `list` shows it
    id: String,
}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let id: BackupId = self.id.parse().map_err(EngineError::from)?;
        let details = context.engine().await?.details(&id, Duration::MAX).await?;
        context.print::<body::Details, _>(&details, text);
        Ok(())
    }
}

fn validation(info: &BackupInfo) -> String {
    match &info.verification {
        None => "not verified yet".into(),
        Some(done) if done.damage.is_empty() => format!("intact ({})", time(&done.verified_at)),
        Some(done) => {
            let damage = done.damage.join("\n             ");
            format!("DAMAGED ({})\n             {damage}", time(&done.verified_at))
        }
    }
}

/// The labels on one line; none if there is none.
pub fn labels(info: &BackupInfo) -> Option<String> {
    let labels = info.labels.iter().map(|(key, value)| plain(&format!("{key}={value}")));
    let labels: Vec<_> = labels.collect();
    (!labels.is_empty()).then(|| labels.join(", "))
}

fn text(details: &Details) -> String {
    let info = &details.info;
    let restored = info.last_restore.as_deref().map_or("never".into(), time);
    let mut files = table(&["File", "Size"]);
    for file in &details.files {
        files.add_row([file.name.clone(), size(file.size)]);
    }
    numbers(&mut files, 1..=1);
    format!(
        "Backup       {} ({}{})\nDescription  {}\nLabels       {}\nCreated      {} UTC by {} ({} days ago)\n\
         Database     {} on PostgreSQL {}\nValidation   {}\nRestored     {restored}\n\
         Logical      {} of rows\nStored       {}, what was new in the store\n{}{}\n\n{}\n\n{files}",
        info.backup_id,
        match info.backup_type {
            BackupKind::Full => "full",
            BackupKind::PreRestore => "pre-restore",
        },
        if info.pinned { ", pinned" } else { "" },
        plain(&info.description),
        labels(info).unwrap_or_else(|| "none".into()),
        time(&info.timestamp),
        plain(&info.created_by),
        details.age_days,
        plain(&Source::from(&info.snapshot).to_string()),
        info.snapshot.server_version,
        validation(info),
        size(info.size),
        size(info.added_size),
        super::backup::read(info.capture.as_ref()),
        super::backup::lacking(&info.missing_tables),
        super::backup::datasets(info),
    )
}
