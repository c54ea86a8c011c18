//! `annotate`

use std::collections::BTreeMap;

use clap::Args;

use super::context::Context;
use super::details::labels;
use super::error::CliError;
use super::output::plain;
use crate::api::body::Annotated;
use crate::engine::{Annotation, BackupInfo, EngineError};
use crate::model::BackupId;

/// Change the description, pin or labels of a backup
///
/// The content of a backup never changes. Every cleanup keeps a pinned backup.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub struct Arguments {
    /// Backup id, as `list` shows it
    id: String,
    /// New description
    #[arg(long, value_name = "TEXT", group = "what")]
    description: Option<String>,
    /// Pin the backup: every cleanup keeps it
    #[arg(long, group = "what", conflicts_with = "unpin")]
    pin: bool,
    /// Unpin the backup: retention rules apply again
    #[arg(long, group = "what")]
    unpin: bool,
    /// Set a label as KEY=VALUE, or remove it with KEY=; repeatable
    #[arg(long, value_name = "KEY=VALUE", group = "what")]
    label: Vec<String>,
}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let id: BackupId = self.id.parse().map_err(EngineError::from)?;
        let annotation = self.annotation()?;
        let info = context.engine().await?.annotate(&id, &annotation).await?;
        context.print::<Annotated, _>(&info, text);
        Ok(())
    }

    fn annotation(self) -> Result<Annotation, EngineError> {
        let mut labels = BTreeMap::new();
        for label in &self.label {
            let Some((key, value)) = label.split_once('=') else {
                let what = format!("not a label: {label:?} (one looks like change=CHG0042)");
                return Err(EngineError::MalformedAnnotation(what));
            };
            labels.insert(key.to_owned(), (!value.is_empty()).then(|| value.to_owned()));
        }
        let pinned = (self.pin || self.unpin).then_some(self.pin);
        Ok(Annotation { description: self.description, pinned, labels })
    }
}

fn text(info: &BackupInfo) -> String {
    let pinned = if info.pinned { ", pinned" } else { "" };
    let labels = labels(info).map(|labels| format!(" [{labels}]")).unwrap_or_default();
    format!("Backup {}: {}{labels}{pinned}", info.backup_id, plain(&info.description))
}
