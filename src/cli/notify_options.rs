//! Whom the service notifies, and of what; `serve` and `notify` share this.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use crate::api::body;
use crate::service::notify::{Target, Wanted};

/// The variable with the secret that plain notices are signed with.
const WEBHOOK_SECRET: &str = "WEBHOOK_SECRET";

/// Whom to notify.
#[derive(Debug, Args)]
#[command(next_help_heading = "Notifications")]
pub struct NotifyOptions {
    /// Target of notifications; repeatable. JSON: https://host/path; others: slack+https://,
    /// discord+https://, teams+https://, gotify+https://, ntfy+https://, smtp://, smtps://. Visible in
    /// the process list; pass secrets through NOTIFY_URL (separated by spaces) or --notify-file
    #[arg(long, value_name = "URL", env = "NOTIFY_URL", hide_env_values = true)]
    #[arg(value_delimiter = ' ')]
    notify: Vec<String>,
    /// File with a notification URL on each line; empty lines and lines that begin with # are ignored
    #[arg(long, value_name = "FILE", env = "NOTIFY_FILE")]
    notify_file: Option<PathBuf>,
    /// Events to notify of; a URL that ends with #events=… has its own
    #[arg(long, value_enum, value_name = "EVENTS", default_value_t = Events::Failure)]
    notify_on: Events,
    /// URL to notify of failures and of the first success after them, as --notify with JSON; signed if
    /// WEBHOOK_SECRET is set
    #[arg(long, value_name = "URL", env = "WEBHOOK_URL", hide_env_values = true)]
    webhook: Option<String>,
}

/// Which events are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Events {
    /// Failures, damage and missing backups, and their end
    Failure,
    /// Backups that were made, and the end of failures
    Success,
    /// All of them
    All,
}

impl NotifyOptions {
    /// The targets.
    pub fn targets(&self) -> anyhow::Result<Vec<Target>> {
        let secret = std::env::var(WEBHOOK_SECRET).ok();
        let wanted = match self.notify_on {
            Events::Failure => Wanted::Failure,
            Events::Success => Wanted::Success,
            Events::All => Wanted::All,
        };
        let mut targets = Vec::new();
        if let Some(url) = &self.webhook {
            targets.push(Target::new(url, secret.clone(), body::notice)?);
        }
        for url in self.urls()? {
            targets.push(Target::parse(&url, wanted, secret.clone(), body::notice)?);
        }
        Ok(targets)
    }

    fn urls(&self) -> anyhow::Result<Vec<String>> {
        let mut urls = self.notify.clone();
        if let Some(path) = &self.notify_file {
            let text = std::fs::read_to_string(path);
            let text = text.with_context(|| {
                format!("cannot read the notification URLs from {}", path.display())
            })?;
            urls.extend(text.lines().map(|line| line.trim().to_owned()));
        }
        urls.retain(|url| !url.is_empty() && !url.starts_with('#'));
        Ok(urls)
    }
}
