//! A private PostgreSQL with a sample plan, for a service that is to be tried out.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::context::Context;
use super::error::CliError;
use crate::embedded::sample::{self, PlanSize};
use crate::embedded::{Options, PrivatePostgres};

/// Where a private PostgreSQL lives.
#[derive(Debug, Clone)]
pub enum Home {
    /// In a folder that goes with it.
    Passing,
    /// In this folder, which stays.
    Kept(PathBuf),
}

impl Home {
    /// A folder's path, or nothing.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "parsers of arguments may fail; this one does not"
    )]
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(if text.is_empty() { Self::Passing } else { Self::Kept(text.into()) })
    }

    /// The folder that stays.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Passing => None,
            Self::Kept(folder) => Some(folder),
        }
    }
}

/// The server, its database, and where the backups go if nothing else is said.
pub struct Embedded {
    server: PrivatePostgres,
    url: String,
    store: PathBuf,
    _passing: Option<tempfile::TempDir>,
}

impl Embedded {
    /// Starts the server in this folder, or in one that goes with it, and loads the sample plan
    /// unless there is one.
    pub async fn start(folder: Option<&Path>, prefixes: u64) -> Result<Self, CliError> {
        let passing = match folder {
            Some(_) => None,
            None => Some(tempfile::tempdir().context("cannot make a folder for the store")?),
        };
        let options = Options {
            data_dir: folder.map(|folder| folder.join("postgres")),
            durable: folder.is_some(),
            ..Options::default()
        };
        let server =
            PrivatePostgres::start(options).await.context("cannot start a private PostgreSQL")?;
        let url = server.create_plan_database("ipam").await.context("cannot make the database")?;
        let size = PlanSize { prefixes };
        sample::load_if_empty(&url, size).await.context("cannot load the sample plan")?;
        let root = folder.or(passing.as_ref().map(tempfile::TempDir::path));
        let store = root.expect("one of the two").join("store");
        std::fs::create_dir_all(&store).context("cannot make a folder for the store")?;
        Ok(Self { server, url, store, _passing: passing })
    }

    /// The surroundings with this database.
    pub fn context(&self, context: &Context) -> Context {
        let beside = self.store.display().to_string();
        let store = context.named_store().map_or(beside, str::to_owned);
        context.elsewhere(store, self.url.clone())
    }

    /// Stops the server.
    pub async fn stop(self) -> Result<(), CliError> {
        Ok(self.server.stop().await.context("cannot stop the private PostgreSQL")?)
    }
}
