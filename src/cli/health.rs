//! `health`

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::context::Context;
use super::error::CliError;
use super::output::plain;
use super::state::StateOption;
use crate::service::StateFolder;
use crate::tls;

/// Where a service listens if nothing else is said.
const DEFAULT: &str = "127.0.0.1:8000";
/// How long a service that is well takes at most.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// The longest answer that is read.
const MAX_ANSWER: usize = 1 << 20;

/// Check the health of a running service
///
/// Exits with 1 and a reason if the service does not answer or reports a failure.
#[derive(Debug, Args)]
pub struct Arguments {
    /// URL of the service [default: the address that `serve` noted in the state folder, else
    /// http://127.0.0.1:8000]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    state: StateOption,
    /// The least that counts as a failure. `degraded` includes an overdue or failed backup, damage, and
    /// a disk that is nearly full
    #[arg(long, value_enum, default_value_t = FailOn::Failing, value_name = "STATUS")]
    fail_on: FailOn,
}

/// What counts as a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// The service works, but somebody should look at it
    Degraded,
    /// The store or the database cannot be used
    Failing,
}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let health = self.ask(context).await?;
        context.print::<Value, _>(&health, text);
        let fails = match self.fail_on {
            FailOn::Degraded => health["status"] != "ok",
            FailOn::Failing => health["status"] == "failing",
        };
        if fails { Err(CliError::Unwell) } else { Ok(()) }
    }

    /// The URL that was given, else that of the service that uses the state folder.
    fn url(&self, context: &Context) -> String {
        let noted = || StateFolder::noted_address(&self.state.folder(context.store()));
        self.url.clone().unwrap_or_else(|| {
            format!(
                "http://{}",
                noted().map_or_else(|| DEFAULT.to_owned(), |at| reachable(at).to_string())
            )
        })
    }

    async fn ask(&self, context: &Context) -> anyhow::Result<Value> {
        // Whatever stands between this machine and others has no say in it.
        let client = tls::client_builder().no_proxy().timeout(ANSWER_WITHIN).build()?;
        let url = format!("{}/api/health", self.url(context).trim_end_matches('/'));
        let answer = client.get(&url).send().await;
        let mut answer = answer.with_context(|| format!("nothing answers at {url}"))?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(block) = answer.chunk().await.context("the answer breaks off")? {
            body.extend_from_slice(&block);
            anyhow::ensure!(body.len() <= MAX_ANSWER, "what answers at {url} is another service");
        }
        anyhow::ensure!(status.is_success(), "{url} answers {status}");
        serde_json::from_slice(&body)
            .with_context(|| format!("what answers at {url} is another service"))
    }
}

/// An address that a client may connect to: all addresses of the machine are its loopback address, too.
fn reachable(listens: SocketAddr) -> SocketAddr {
    match listens.ip() {
        IpAddr::V4(all) if all.is_unspecified() => (Ipv4Addr::LOCALHOST, listens.port()).into(),
        IpAddr::V6(all) if all.is_unspecified() => (Ipv6Addr::LOCALHOST, listens.port()).into(),
        _ => listens,
    }
}

fn text(health: &Value) -> String {
    let word = |value: &Value| plain(value.as_str().unwrap_or_default());
    let mut text = word(&health["status"]);
    let protection = &health["protection"];
    text += &format!("\n{} {}", word(&protection["word"]), word(&protection["sentence"]));
    for (name, check) in health["checks"].as_object().into_iter().flatten() {
        let mark = if check["ok"] == true { "ok " } else { "NOT" };
        text += &format!("\n{mark} {}: {}", plain(name), word(&check["detail"]));
    }
    text
}
