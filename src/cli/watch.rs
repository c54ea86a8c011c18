//! `watch`

use std::time::Duration;

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::interval;
use super::keep_rules::KeepRules;
use super::output::plain;
use crate::api::body;
use crate::engine::{BackupCreated, BackupRequest, Engine, Look, Looked};
use crate::model::{Age, Policy};

/// Look for changes again and again, and create a backup whenever there are some
///
/// Runs until Ctrl-C. Each backup is described by what changed. After a backup, older ones are
/// deleted by the retention rules. `serve --watch` does the same beside the API and the web page.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Time between two looks (30s, 5m, 1h)
    #[arg(long, value_name = "INTERVAL", default_value = "30s", value_parser = interval::parse)]
    every: Duration,
    /// Keep the N newest backups that were not created by `watch`; pinned backups and the newest good
    /// one always stay
    #[arg(long, value_name = "N", default_value_t = Policy::LAST)]
    keep_last: usize,
    /// Never delete backups
    #[arg(long)]
    keep_all: bool,
    #[command(flatten)]
    rules: KeepRules,
    /// Read all rows if they were not all read for so long, and compare (24h, 7d)
    #[arg(long, value_name = "AGE", default_value = "24h")]
    full_every: Age,
}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let engine = context.engine_for_writing().await?.with_full_every(self.full_every);
        let mut looked = Looked::default();
        context.say(&format!("Looking for changes every {} s (Ctrl-C ends)", self.every.as_secs()));
        // The first look shows whether all is set up; later failures may pass.
        self.look(context, &engine, &mut looked).await?;
        loop {
            context.wait(self.every).await?;
            match self.look(context, &engine, &mut looked).await {
                Err(CliError::Engine(error)) => {
                    let chain = error.chain().join(": ");
                    context.say(&format!("Could not look for changes: {}", plain(&chain)));
                }
                looked => looked?,
            }
        }
    }

    async fn look(
        &self,
        context: &Context,
        engine: &Engine,
        looked: &mut Looked,
    ) -> Result<(), CliError> {
        let look = context.run(async |run| engine.look_for_changes(looked, run).await).await?;
        if look != Look::Changed {
            return Ok(());
        }
        let request = BackupRequest {
            created_by: Some("watch".into()),
            reading: looked.reading(),
            automatic: true,
            ..BackupRequest::default()
        };
        let created = context.run(async |run| engine.backup(request, run).await).await?;
        context.print::<body::BackupCreated, _>(&created, text);
        let policy = self.rules.policy(self.keep_last);
        if !self.keep_all && engine.would_clean_up(&policy).await? {
            context.run(async |run| engine.cleanup(&policy, false, run).await).await?;
        }
        Ok(())
    }
}

fn text(created: &BackupCreated) -> String {
    let info = &created.backup_info;
    format!("{}  {}", info.backup_id, plain(&info.description))
}
