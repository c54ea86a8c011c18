//! The program on a store in a bucket, behind a proxy that answers as a test wants.

use std::process::Command;

use serde_json::Value;

use super::running::Running;
use crate::support::program::{Ended, Program};
use crate::support::s3::{Kind, S3Server, environment};
use crate::support::s3_dialect::{Dialect, Request, Says};
use crate::support::serving::Serving;
use crate::support::{TestDatabase, sample_database};

/// A sample plan and a store, with a server of its own.
pub struct Bucket {
    pub database: TestDatabase,
    pub program: Program,
    pub dialect: Dialect,
    pub server: S3Server,
}

impl Bucket {
    /// Starts a server of this kind, and a proxy before it that follows the rule.
    pub async fn behind(
        kind: Kind,
        rule: impl Fn(&Request) -> Says + Send + Sync + 'static,
    ) -> Self {
        let database = sample_database().await;
        let program = Program::on(&database);
        let server = S3Server::start_as(kind).await;
        let dialect = Dialect::before(server.port(), rule).await;
        Self { database, program, dialect, server }
    }

    /// Returns a command that is yet to be run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program.command(arguments);
        command.env("BACKUP_STORE", "s3://bucket/store").envs(environment(self.dialect.port()));
        command.env("STATE_DIRECTORY", self.program.store().join("state"));
        command
    }

    pub async fn run(&self, arguments: &[&str]) -> Ended {
        Running::of(self.command(arguments)).ended().await
    }

    /// Runs a command line that must succeed.
    pub async fn ok(&self, arguments: &[&str]) -> Ended {
        let ended = self.run(arguments).await;
        assert_eq!(ended.code, 0, "{arguments:?}: {}{}", ended.out, ended.err);
        ended
    }

    /// Runs a command line with `--json` that must succeed; the document.
    pub async fn json(&self, arguments: &[&str]) -> Value {
        let out = self.ok(&[arguments, &["--json"]].concat()).await.out;
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error} in {out}"))
    }

    /// Makes a backup; its id and what was said on standard error.
    pub async fn backup(&self) -> (String, String) {
        let Ended { out, err, .. } = self.ok(&["backup", "--json"]).await;
        let made: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e} in {out}"));
        (made["backup_id"].as_str().expect("an id").to_owned(), err)
    }

    /// The ids of all backups, newest first.
    pub async fn ids(&self) -> Vec<String> {
        let list = self.json(&["list"]).await;
        let backups = list["backups"].as_array().expect("a list").iter();
        backups.map(|backup| backup["backup_id"].as_str().expect("an id").to_owned()).collect()
    }

    /// Verifies everything, which must be whole.
    pub async fn verify(&self) {
        let verified = self.ok(&["verify"]).await.out;
        assert_eq!(verified.lines().last(), Some("No damage found."), "{verified}");
    }

    /// Starts the service, which keeps everything.
    pub fn serve(&self) -> Serving {
        Serving::of(self.command(&["serve", "--listen", "127.0.0.1:0", "--keep-all"]))
    }
}
