//! `delete`

use std::time::Duration;

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::output::{plain, plural, size};
use crate::api::body;
use crate::engine::{Deleted, EngineError, Freed};
use crate::model::BackupId;

/// Delete one backup and free the space that only it uses
#[derive(Debug, Args)]
pub struct Arguments {
    /// Backup id, as `list` shows it
    id: String,
}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let id: BackupId = self.id.parse().map_err(EngineError::from)?;
        let answer = context.expect_answer().await?;
        let engine = context.engine().await?;
        if !context.yes() {
            // A damaged backup can be deleted as well; only what it is called is unknown then.
            let what = match engine.details(&id, Duration::ZERO).await {
                Ok(details) => format!(" ({})", plain(&details.info.description)),
                Err(error) if error.kind() == crate::engine::Kind::Damaged => String::new(),
                Err(error) => return Err(error.into()),
            };
            let question = format!("Delete backup {id}{what}? This cannot be undone.");
            context.confirm(&question, answer).await?;
        }
        let deleted = context.run(async |run| engine.delete(&id, run).await).await?;
        context.print::<body::Deleted, _>(&deleted, text);
        Ok(())
    }
}

fn text(deleted: &Deleted) -> String {
    format!("{}\n{}", body::Deleted::message(deleted), freed(&deleted.freed))
}

/// What was freed, in words.
pub fn freed(freed: &Freed) -> String {
    let mut words = format!("{} freed ({})", size(freed.bytes), plural(freed.packs, "pack"));
    if freed.pending_bytes > 0 {
        words += &format!("; {} more after the grace period", size(freed.pending_bytes));
    }
    for note in &freed.notes {
        words += &format!("\n{note}");
    }
    words
}
