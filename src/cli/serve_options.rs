//! What `serve` does by itself, whom it lets in and whom it tells: the options, and what they mean.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use super::interval;
use super::keep_rules::KeepRules;
use super::notify_options::NotifyOptions;
use crate::api::{BasePath, Origins};
use crate::model::{Age, Policy};
use crate::service::automation::Plan;
use crate::service::notify::Monitor;
use crate::service::schedule::Timetable;
use crate::store::Location;

/// What the service does by itself.
#[derive(Debug, Args)]
#[command(next_help_heading = "By itself")]
pub struct PlanOptions {
    /// Backup schedule as a cron expression ("0 * * * *" is every hour); repeatable
    #[arg(long, value_name = "CRON")]
    schedule: Vec<String>,
    /// Time zone of the schedule, for example Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: String,
    /// Look for changes this often (30s, 5m, 1h), and create a backup whenever there are some
    #[arg(long, value_name = "INTERVAL", num_args = 0..=1, default_missing_value = "30s")]
    #[arg(value_parser = interval::parse)]
    watch: Option<Duration>,
    /// Read all rows if they were not all read for so long, and compare with what changes told (24h, 7d)
    #[arg(long, value_name = "AGE", default_value = "24h")]
    pub full_every: Age,
    /// Keep the N newest backups and delete others after each backup; pinned backups and the newest
    /// good one always stay
    #[arg(long, value_name = "N", default_value_t = Policy::LAST)]
    keep_last: usize,
    /// Apply the retention rules even if they delete backups that were there at the first start. Without
    /// this option the service names these backups and deletes nothing
    #[arg(long)]
    apply_retention: bool,
    /// Never delete backups automatically
    #[arg(long)]
    keep_all: bool,
    #[command(flatten)]
    rules: KeepRules,
    /// Verify each backup again within this period (7d, 4w)
    #[arg(long, value_name = "AGE")]
    verify_within: Option<Age>,
    /// URL of a monitor such as healthchecks.io, which is sent a request when a scheduled backup
    /// begins (URL/start), succeeds (URL) and fails (URL/fail)
    #[arg(long, value_name = "URL", env = "HEARTBEAT_URL", hide_env_values = true)]
    heartbeat: Option<String>,
    /// Other store to copy all backups into, after each backup: a folder, or s3://bucket/prefix
    #[arg(long, value_name = "STORE", env = "COPY_TO")]
    copy_to: Option<String>,
    #[command(flatten)]
    notify: NotifyOptions,
}

/// Whom the service lets in.
#[derive(Debug, Args)]
#[command(next_help_heading = "Access")]
pub struct AccessOptions {
    /// Additional host name to accept in requests; '*' accepts any; repeatable
    #[arg(long, value_name = "NAME")]
    pub allowed_host: Vec<String>,
    /// File to write a first token to, for an admin, if no token was ever created; mode 0600
    #[arg(long, value_name = "FILE")]
    pub first_token: Option<PathBuf>,
    /// Path below which a proxy shows the service, as /rewind; requests may come with it or without it
    #[arg(long, value_name = "PATH", default_value = "/")]
    pub base_path: BasePath,
    /// Origin of another web page that may use the API (https://noc.example), whose host name is then
    /// accepted in requests; 'http://*:8080' is a page on port 8080 of the host that a request names, and
    /// accepts any host name; repeatable
    #[arg(long, value_name = "ORIGIN")]
    pub cors_origin: Vec<String>,
    /// Allow unauthenticated access on non-loopback addresses and allowed hosts while no token exists.
    /// A service that once had tokens never allows unauthenticated access
    #[arg(long)]
    allow_anonymous_on_any_address: bool,
    /// Maximum number of connections; the longest idle one is closed to make room
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub max_connections: usize,
}

impl PlanOptions {
    /// What is to be done.
    pub fn plan(&self) -> anyhow::Result<Plan> {
        Ok(Plan {
            timetable: Timetable::new(&self.schedule, &self.time_zone)?,
            watch: self.watch,
            retention: self.retention()?,
            confirm_retention: !self.apply_retention,
            verify_within: self.verify_within.filter(|age| *age > Age::days(0)),
            notify: self.notify.targets()?,
            copy_to: self.copy_to()?,
            heartbeat: self.heartbeat.as_deref().map(Monitor::new).transpose()?,
            ..Plan::default()
        })
    }

    /// The other store, if its name is one.
    fn copy_to(&self) -> anyhow::Result<Option<String>> {
        if let Some(place) = &self.copy_to {
            place.parse::<Location>().context("cannot use --copy-to")?;
        }
        Ok(self.copy_to.clone())
    }

    fn retention(&self) -> anyhow::Result<Option<Policy>> {
        if self.keep_all {
            return Ok(None);
        }
        let policy = self.rules.policy(self.keep_last);
        ensure!(policy.keeps_any(), "these rules keep no backup at all: give --keep-last, too");
        Ok(Some(policy))
    }
}

impl AccessOptions {
    /// Refuses to let everybody in from elsewhere, unless told to in so many words.
    pub fn refuse_anonymous(
        &self,
        listen: SocketAddr,
        origins: &Origins,
        open: bool,
    ) -> anyhow::Result<()> {
        if !open || self.allow_anonymous_on_any_address {
            return Ok(());
        }
        let reached = match self.allowed_host.first() {
            Some(name) => name.clone(),
            None if origins.are_of_any_host() => "it by any name".into(),
            None if listen.ip().is_loopback() => return Ok(()),
            None => listen.to_string(),
        };
        bail!(
            "there are no tokens, so everybody who reaches {reached} could restore and delete: \
             make one with `ipam-rewind token create NAME --role admin`, listen on 127.0.0.1 \
             without --allowed-host and without any host in --cors-origin, or say \
             --allow-anonymous-on-any-address"
        )
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        plan: PlanOptions,
    }

    fn retention(line: &str) -> anyhow::Result<Option<Policy>> {
        let words = std::iter::once("serve").chain(line.split_whitespace());
        Line::parse_from(words).plan.retention()
    }

    #[test]
    fn ten_newest_and_thirty_days_of_safety_backups_are_kept_unless_told_otherwise() {
        let kept = |line| retention(line).expect("fine").map(|p| (p.last, p.pre_restore_within));
        assert_eq!(kept(""), Some((10, Age::days(30))));
        assert_eq!(kept("--schedule @daily --keep-daily 7"), Some((10, Age::days(30))));
        assert_eq!(kept("--keep-last 3 --keep-pre-restore 2d"), Some((3, Age::days(2))));
        assert_eq!(kept("--keep-all --keep-last 3"), None);
    }

    #[test]
    fn rules_that_would_keep_nothing_are_refused() {
        for line in ["--schedule @daily --keep-last 0", "--keep-last 0 --keep-pre-restore 2d"] {
            assert!(retention(line).is_err(), "{line}");
        }
        assert!(retention("--keep-last 0 --keep-daily 7").is_ok());
    }
}
