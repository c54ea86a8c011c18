//! `serve`

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::context::{Context, Interruption};
use super::embedded::Embedded;
use super::error::CliError;
use super::output;
use crate::api::{self, Settings};
use crate::service::{Service, StateFolder};
use crate::store::Store;

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
/// Long work goes on when the browser tab is closed. On SIGTERM or Ctrl-C no new work is taken;
/// what runs may finish within the time of grace and is then ended cleanly: a restore that is cut
/// off leaves the database as it was.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8000", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// The folder of what the service keeps beside the store [default: STORE/service, or
    /// ~/.local/state/ipam-rewind if the store is no folder]
    #[arg(long, env = "STATE_DIRECTORY", value_name = "DIR")]
    state: Option<PathBuf>,
    /// Serve a private PostgreSQL with a sample address plan, kept in this folder (and, unless a
    /// store is named, its backups beside it); without a folder, all is gone afterwards
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true)]
    embedded: Option<Option<PathBuf>>,
    /// How many prefixes the sample plan has
    #[arg(long, value_name = "N", default_value_t = 5_000, requires = "embedded")]
    prefixes: u64,
    /// How long running jobs may take to finish when the service is asked to end, in seconds
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    grace: u64,
    /// How the log on standard error looks
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Print the OpenAPI document and end
    #[arg(long)]
    print_openapi: bool,
}

impl Arguments {
    /// Runs the verb.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        if self.print_openapi {
            output::text(&api::document_text());
            return Ok(());
        }
        let Some(folder) = &self.embedded else {
            return self.serve_there(context).await;
        };
        let embedded = Embedded::start(folder.as_deref(), self.prefixes).await?;
        let served = self.serve_there(&embedded.context(context)).await;
        embedded.stop().await?;
        served
    }

    async fn serve_there(&self, context: &Context) -> Result<(), CliError> {
        let engine = context.engine_for_writing().await?;
        let folder = self.state.clone().unwrap_or_else(|| default_state(engine.store()));
        let state = StateFolder::open(&folder).context("cannot use the state folder")?;
        let service = Service::start(engine, state).await.context("cannot start")?;
        let listener = TcpListener::bind(self.listen).await;
        let listener = listener.with_context(|| format!("cannot listen on {}", self.listen))?;
        let address = listener.local_addr().context("cannot tell the address")?;
        let interruption = Interruption::expected().context("cannot listen for signals")?;
        context.say(&format!("Serving http://{address} (Ctrl-C ends)"));
        self.serve(listener, service, interruption).await
    }

    /// Answers until the program is asked to end; then nothing new, and an orderly end.
    async fn serve(
        &self,
        listener: TcpListener,
        service: Service,
        mut interruption: Interruption,
    ) -> Result<(), CliError> {
        let grace = Duration::from_secs(self.grace);
        let (asked, over) = (CancellationToken::new(), CancellationToken::new());
        let app = api::router(service.clone(), Settings::default());
        let served = axum::serve(listener, app);
        let served = served.with_graceful_shutdown(asked.clone().cancelled_owned());
        let end = async {
            interruption.came().await;
            tracing::info!("asked to end; running jobs get {} s", grace.as_secs());
            asked.cancel();
            service.shut_down(grace).await;
            over.cancel();
        };
        let served = async {
            // Whoever keeps a connection open for no reason is not waited for.
            let too_long = async {
                over.cancelled().await;
                tokio::time::sleep(LAST_WORDS).await;
            };
            tokio::select! {
                served = served.into_future() => served,
                () = too_long => Ok(()),
            }
        };
        let (served, ()) = tokio::join!(served, end);
        Ok(served.context("cannot serve")?)
    }
}

/// `service` in the store's folder, else the place where programs keep their state.
fn default_state(store: &Store) -> PathBuf {
    if let Some(folder) = store.folder() {
        return folder.join("service");
    }
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state"));
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).or(home);
    state.unwrap_or_else(|| PathBuf::from(".")).join("ipam-rewind")
}
