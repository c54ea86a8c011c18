//! What all rounds share: the server with the plan, a folder, the rivals, the figures.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use ipam_rewind::embedded::sample::{self, PlanCounts, PlanSize};
use ipam_rewind::embedded::{Options, PLAN_OWNER, PrivatePostgres};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

use crate::arguments::Arguments;
use crate::measure::{self, Measured};
use crate::processes::Server;
use crate::results::Run;
use crate::results::words::count;
use crate::surroundings;

/// The database that each round copies its own from.
const TEMPLATE: &str = "plan";
/// The database that a round works on.
const DATABASE: &str = "ipam";

/// The server, the folder and the figures of one run.
pub struct Bench {
    pub server: PrivatePostgres,
    pub rivals: Vec<&'static str>,
    /// The script that installs E-Maj, if it was given.
    pub emaj: Option<PathBuf>,
    pub run: Run,
    folder: TempDir,
    processes: Server,
}

impl Bench {
    /// Starts the server and loads the plan.
    pub async fn start(arguments: &Arguments) -> Result<Self> {
        let (rivals, mut skipped) = surroundings::rivals();
        let emaj = surroundings::emaj();
        skipped.extend(emaj.as_ref().err().cloned());
        for sentence in &skipped {
            eprintln!("{sentence}");
        }
        // Durable, as at a user's site: the commit of a restore waits for the disk.
        let options = Options { durable: true, ..Options::default() };
        let server = PrivatePostgres::start(options).await?;
        let counts = load(&server, arguments.prefixes).await?;
        let run = Run {
            prefixes: arguments.prefixes,
            plan_rows: rows_of(&counts),
            plan: words_of(&counts),
            rounds: arguments.rounds,
            machine: surroundings::machine(),
            commit: surroundings::commit(),
            versions: surroundings::versions(server.bin_dir(), &rivals),
            skipped,
            rows: Vec::new(),
            waits: Vec::new(),
        };
        let processes = Server::of(&server.socket_dir().join("data"))?;
        let (emaj, folder) = (emaj.ok(), tempfile::tempdir()?);
        Ok(Self { server, rivals, emaj, run, folder, processes })
    }

    /// An empty folder for stores and dumps.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.path().join(name);
        std::fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// The plan as it was loaded, in a database without a past, and its address.
    pub async fn fresh_plan(&self) -> Result<String> {
        self.copy_of_plan(DATABASE).await
    }

    /// The plan as it was loaded, in a new database of this name, and its address.
    pub async fn copy_of_plan(&self, name: &str) -> Result<String> {
        let mut admin = self.admin().await?;
        drop_if_there(&mut admin, name).await?;
        let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int")
            .fetch_one(&mut admin)
            .await?;
        let strategy = if version >= 150_000 { "STRATEGY file_copy" } else { "" };
        let create =
            format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {PLAN_OWNER} {strategy}");
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut admin).await?;
        Ok(self.server.url(name, PLAN_OWNER))
    }

    /// An empty database of the plan's owner, and its address.
    pub async fn empty_database(&self, name: &str) -> Result<String> {
        self.drop_database(name).await?;
        self.server.create_owner_database(name, PLAN_OWNER).await?;
        Ok(self.server.url(name, PLAN_OWNER))
    }

    /// Removes a database, whoever is in it; nothing happens if it is not there.
    pub async fn drop_database(&self, name: &str) -> Result<()> {
        drop_if_there(&mut self.admin().await?, name).await
    }

    /// Runs a program or a pipe, and takes down what it took. What others left to be written to the
    /// disk is written before.
    pub fn measure(&mut self, what: &str, by: &str, commands: Vec<Command>) -> Result<Measured> {
        nix::unistd::sync();
        let before = self.processes.cpu()?;
        let measured = measure::pipe(commands)?;
        let server_cpu = self.processes.cpu()?.saturating_sub(before);
        self.run.took(what, by, &measured, server_cpu);
        Ok(measured)
    }

    /// The same for what keeps its files in `kept`.
    pub fn measure_kept(
        &mut self,
        what: &str,
        by: &str,
        commands: Vec<Command>,
        kept: &Path,
    ) -> Result<()> {
        let before = measure::size(kept)?;
        self.measure(what, by, commands)?;
        self.run.stored(what, by, measure::size(kept)?.saturating_sub(before));
        Ok(())
    }

    /// Stops the server.
    pub async fn stop(self) -> Result<()> {
        Ok(self.server.stop().await?)
    }

    async fn admin(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect(&self.server.url("postgres", "postgres")).await?)
    }
}

async fn drop_if_there(admin: &mut PgConnection, name: &str) -> Result<()> {
    let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    sqlx::raw_sql(AssertSqlSafe(drop)).execute(admin).await?;
    Ok(())
}

async fn load(server: &PrivatePostgres, prefixes: u64) -> Result<PlanCounts> {
    eprintln!("loading {prefixes} prefixes");
    let url = server.create_plan_database(TEMPLATE).await?;
    let mut plan = PgConnection::connect(&url).await?;
    let counts = sample::load(&mut plan, PlanSize { prefixes }).await?;
    sqlx::query("VACUUM ANALYZE").execute(&mut plan).await?;
    plan.close().await?;
    Ok(counts)
}

fn rows_of(counts: &PlanCounts) -> u64 {
    let prefixes = counts.manual + counts.subnets + counts.public_ips;
    counts.vrfs + counts.vpcs + counts.associations + prefixes + counts.device42
}

fn words_of(counts: &PlanCounts) -> String {
    [
        (counts.vrfs, "VRFs"),
        (counts.vpcs, "VPCs"),
        (counts.associations, "associations"),
        (counts.manual, "manual prefixes"),
        (counts.subnets, "subnets"),
        (counts.public_ips, "public addresses"),
        (counts.device42, "addresses of Device42"),
    ]
    .map(|(number, kind)| format!("{} {kind}", count(number)))
    .join(", ")
}
