//! `serve`

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use tokio::net::TcpListener;

use super::context::{Context, interruption};
use super::error::CliError;
use super::output;
use crate::api::{self, Settings};
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
        let engine = context.engine_for_writing().await?;
        let folder = self.state.clone().unwrap_or_else(|| default_state(engine.store().place()));
        let state = StateFolder::open(&folder).context("cannot use the state folder")?;
        let service = Service::start(engine, state).await.context("cannot start")?;
        let listener = TcpListener::bind(self.listen).await;
        let listener = listener.with_context(|| format!("cannot listen on {}", self.listen))?;
        let address = listener.local_addr().context("cannot tell the address")?;
        context.say(&format!("Serving http://{address} (Ctrl-C ends)"));
        self.serve(listener, service).await
    }

    /// Answers until the program is asked to end; then nothing new, and an orderly end.
    async fn serve(&self, listener: TcpListener, service: Service) -> Result<(), CliError> {
        let grace = Duration::from_secs(self.grace);
        let (ended, end) = tokio::sync::oneshot::channel();
        let ending = {
            let service = service.clone();
            tokio::spawn(async move {
                interruption().await;
                tracing::info!("asked to end; running jobs get {} s", grace.as_secs());
                let _ = ended.send(());
                service.shut_down(grace).await;
                tokio::time::sleep(LAST_WORDS).await;
            })
        };
        let app = api::router(service, Settings::default());
        let served = axum::serve(listener, app).with_graceful_shutdown(async move {
            let _ = end.await;
        });
        tokio::select! {
            served = served => Ok(served.context("cannot serve")?),
            // Whoever keeps a connection open for no reason is not waited for.
            _ = ending => Ok(()),
        }
    }
}

/// `service` in the store's folder, else the place where programs keep their state.
fn default_state(store: &str) -> PathBuf {
    if !store.contains("://") {
        return Path::new(store).join("service");
    }
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state"));
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).or(home);
    state.unwrap_or_else(|| PathBuf::from(".")).join("ipam-rewind")
}
