//! `notify`

use anyhow::Context as _;
use chrono::Utc;
use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::notify_options::NotifyOptions;
use super::output::plain;
use crate::api::body::NoticeTrials;
use crate::service::notify::{self, Trial};

/// Check the targets of notifications, and send them a test
///
/// Without --test, only checks the URLs and prints format and host of each target. Exits with 1 if a
/// target refuses the test.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Send a test to each target, and print what it answered
    #[arg(long)]
    test: bool,
    #[command(flatten)]
    targets: NotifyOptions,
}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let targets = self.targets.targets().map_err(CliError::Options)?;
        if targets.is_empty() {
            let words = "there is no target: give --notify or --notify-file";
            return Err(CliError::Options(anyhow::anyhow!(words)));
        }
        if !self.test {
            let list = targets.iter().map(|it| format!("{} {}", it.format(), plain(it.host())));
            context.say(&list.collect::<Vec<_>>().join("\n"));
            return Ok(());
        }
        let trials = notify::test(&targets, Utc::now()).await.context("cannot send")?;
        context.print::<NoticeTrials, _>(&trials, |trials| text(trials));
        if trials.iter().any(|trial| trial.refusal.is_some()) {
            return Err(CliError::NoticeRefused);
        }
        Ok(())
    }
}

fn text(trials: &[Trial]) -> String {
    let line = |trial: &Trial| {
        let answer = trial.refusal.as_deref().unwrap_or("delivered");
        format!("{} {}: {}", trial.format, plain(&trial.host), plain(answer))
    };
    trials.iter().map(line).collect::<Vec<_>>().join("\n")
}
