//! `serve`

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use chrono::Utc;
use clap::{Args, ValueEnum};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::context::{Context, Interruption};
use super::embedded::{Embedded, Home};
use super::error::CliError;
use super::output;
use super::serve_options::{AccessOptions, PlanOptions};
use super::state::StateOption;
use crate::api::{self, Hosts, Origins, Settings};
use crate::service::access::Tokens;
use crate::service::automation::Plan;
use crate::service::{Service, StateFolder};

/// After the time that running jobs get, how long connections may still take to close.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

/// Serve the API and the web page
///
/// Jobs continue when the browser tab is closed. On SIGTERM or Ctrl-C no new jobs start; running jobs
/// may finish within the grace period and are then ended. An interrupted restore leaves the
/// database unchanged.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:8000", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    #[command(flatten)]
    state: StateOption,
    /// Serve a private PostgreSQL with a sample address plan, kept in this folder together with its
    /// backups; without a folder, everything is removed at the end
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "", value_parser = Home::parse)]
    embedded: Option<Home>,
    /// Number of prefixes in the sample plan
    #[arg(long, value_name = "N", default_value_t = 5_000, requires = "embedded")]
    prefixes: u64,
    /// Open the web page in the default browser
    #[arg(long)]
    open: bool,
    /// Grace period for running jobs on shutdown, in seconds
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    grace: u64,
    /// Largest archive to accept for import, in MiB
    #[arg(long, default_value_t = 4096, value_name = "MIB")]
    max_upload: u64,
    /// Log format
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Print the OpenAPI document and exit
    #[arg(long)]
    print_openapi: bool,
    #[command(flatten)]
    plan: PlanOptions,
    #[command(flatten)]
    access: AccessOptions,
}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        if self.print_openapi {
            output::text(&api::document_text());
            return Ok(());
        }
        let Some(home) = &self.embedded else {
            return self.serve_there(context).await;
        };
        let embedded = Embedded::start(home.folder(), self.prefixes).await?;
        let served = self.serve_there(&embedded.context(context)).await;
        embedded.stop().await?;
        served
    }

    async fn serve_there(&self, context: &Context) -> Result<(), CliError> {
        let plan = self.plan.plan().map_err(CliError::Options)?;
        let plan = Plan { stall_timeout: context.stall_timeout(), ..plan };
        let origins = Origins::new(&self.access.cors_origin).context("cannot use --cors-origin");
        let origins = origins.map_err(CliError::Options)?;
        let engine = context.engine_for_writing().await?.with_full_every(self.plan.full_every);
        engine.try_scratch()?;
        if let Some(to) = &plan.copy_to {
            engine.refuse_as_target(to).await?;
        }
        let folder = self.state.folder(context.store());
        let state = StateFolder::open(&folder).context("cannot use the state folder")?;
        let tokens = Tokens::in_folder(&folder);
        // Before a first token is made for a service that does not come up.
        let listener = TcpListener::bind(self.listen).await;
        let listener = listener.with_context(|| format!("cannot listen on {}", self.listen))?;
        if let Some(file) = &self.access.first_token
            && tokens.create_first(file, Utc::now())?
        {
            let file = file.display();
            context.say(&format!(
                "The first token, of an admin, is in {file}; remove the file once you know it"
            ));
        }
        let open = tokens.never_made()?;
        self.access.refuse_anonymous(self.listen, &origins, open).map_err(CliError::Options)?;
        if !open && tokens.all()?.iter().all(|token| token.is_expired(Utc::now())) {
            tracing::warn!(
                "there were tokens once and none is valid, so nobody is let in: make one with \
                 `ipam-rewind token create NAME --role admin`"
            );
        }
        let address = listener.local_addr().context("cannot tell the address")?;
        let interruption = Interruption::expected().context("cannot listen for signals")?;
        if let Err(error) = state.note_address(address) {
            tracing::warn!("`ipam-rewind health` will not find the service: {error}");
        }
        let service = Service::start_with(engine, state, plan).await;
        let service = service.context("cannot start")?;
        service.automation.keep_to_plan();
        context.say(&format!("Serving http://{address} (Ctrl-C ends)"));
        if self.open {
            show_page(context, address);
        }
        let hosts = Hosts::new(address, &self.access.allowed_host).with_pages(&origins);
        let largest_upload = self.max_upload.saturating_mul(1 << 20);
        let base_path = self.access.base_path.clone();
        let settings =
            Settings { largest_upload, hosts, origins, base_path, ..Settings::default() };
        let app = api::router(service.clone(), settings);
        self.serve(listener, app, service, interruption).await
    }

    /// Answers until the program is asked to end; then nothing new, and an orderly end.
    async fn serve(
        &self,
        listener: TcpListener,
        app: axum::Router,
        service: Service,
        mut interruption: Interruption,
    ) -> Result<(), CliError> {
        let grace = Duration::from_secs(self.grace);
        let stop = CancellationToken::new();
        let metrics = service.metrics.clone();
        let most = self.access.max_connections;
        let listening = tokio::spawn(api::listen(listener, app, most, metrics, stop.clone()));
        interruption.came().await;
        tracing::info!("shutting down; running jobs have {} s to finish", grace.as_secs());
        stop.cancel();
        service.shut_down(grace).await;
        // Whoever keeps a connection open for no reason is not waited for.
        let _ = tokio::time::timeout(LAST_WORDS, listening).await;
        Ok(())
    }
}

/// A machine without a browser is no failure: the address was said.
fn show_page(context: &Context, address: SocketAddr) {
    if let Err(error) = open::that_detached(format!("http://{address}")) {
        context.say(&format!("No browser could be opened here: {error}"));
    }
}
