//! `demo`

use std::io::IsTerminal as _;

use anyhow::Context as _;
use clap::{Args, Parser};

use super::context::Context;
use super::error::CliError;
use super::{Cli, output};
use crate::embedded::sample::{self, PlanSize};
use crate::embedded::{Options, PrivatePostgres};
use crate::engine::EngineError;

/// Run a demonstration on a private PostgreSQL with sample data
///
/// Starts a private PostgreSQL, loads an address plan, creates a backup, damages the plan, shows the
/// differences, restores, and shows that nothing differs. On a terminal it then opens the web page
/// until Ctrl-C. Changes nothing else and removes everything at the end.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Number of prefixes in the sample plan
    #[arg(long, default_value_t = 5_000)]
    prefixes: u64,
    /// Exit without opening the web page
    #[arg(long)]
    no_page: bool,
}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        if context.json() {
            return Err(CliError::Options(anyhow::anyhow!("demo does not support --json")));
        }
        step("Starting a private PostgreSQL with a sample address plan");
        let options = Options { durable: false, ..Options::default() };
        let server =
            PrivatePostgres::start(options).await.context("cannot start a private PostgreSQL")?;
        let shown = self.show(context, &server).await;
        server.stop().await.context("cannot stop the private PostgreSQL")?;
        shown
    }

    async fn show(&self, context: &Context, server: &PrivatePostgres) -> Result<(), CliError> {
        let url = server.create_plan_database("ipam").await.context("cannot make the database")?;
        let folder = tempfile::tempdir().context("cannot make a folder for the store")?;
        let context = context.elsewhere(folder.path().display().to_string(), url.clone());
        tokio::select! {
            told = self.tell(&context, &url) => told?,
            _ = tokio::signal::ctrl_c() => return Err(EngineError::Interrupted.into()),
        }
        if self.no_page || !std::io::stdout().is_terminal() {
            return Ok(());
        }
        step("Web page");
        verb(&context, &["serve", "--listen", "127.0.0.1:0", "--open"]).await
    }

    async fn tell(&self, context: &Context, url: &str) -> Result<(), CliError> {
        let mut plan = sample::connect(url).await.context("cannot connect")?;
        let size = PlanSize { prefixes: self.prefixes };
        let rows = sample::load(&mut plan, size).await.context("cannot load the sample plan")?;
        output::text(&format!(
            "{} VRFs, {} VPCs, {} associations, {} manual prefixes, {} subnets, {} public IPs",
            rows.vrfs, rows.vpcs, rows.associations, rows.manual, rows.subnets, rows.public_ips
        ));
        step("Creating a backup before the import");
        verb(context, &["backup", "Before the big import"]).await?;
        let before = context.engine().await?.list().await?.backups.remove(0).info.backup_id;

        step("The import fails, and so does the attempt to repair it");
        for mishap in sample::make_mess(&mut plan).await.context("cannot make the mess")? {
            output::text(&format!(
                "{}: {}",
                mishap.description,
                output::plural(mishap.rows, "row")
            ));
        }
        step("Differences now");
        verb(context, &["diff", before.as_str(), "--limit", "3"]).await?;
        step("Rewind");
        verb(context, &["restore", before.as_str(), "--yes"]).await?;
        step("Differences after the restore");
        verb(context, &["diff", before.as_str()]).await?;
        step("Backups and storage");
        verb(context, &["list"]).await?;
        verb(context, &["verify"]).await?;
        verb(context, &["stats"]).await
    }
}

fn step(words: &str) {
    output::text(&format!("\n== {words}"));
}

/// Runs a command line as if it had been typed.
async fn verb(context: &Context, arguments: &[&str]) -> Result<(), CliError> {
    let line = std::iter::once("ipam-rewind").chain(arguments.iter().copied());
    let shown =
        line.clone().map(|word| if word.contains(' ') { format!("{word:?}") } else { word.into() });
    output::text(&format!("$ {}", shown.collect::<Vec<_>>().join(" ")));
    let cli = Cli::try_parse_from(line).context("the demo's own command line is wrong")?;
    Box::pin(cli.verb.run(&context.agreeing())).await
}
