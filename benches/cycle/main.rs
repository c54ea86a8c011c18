//! The whole cycle on a plan of any size, beside what a user would take instead: in one run, on one
//! private PostgreSQL, every program as its own process.
//!
//! ```text
//! cargo bench --bench cycle -- --prefixes 1000000 --rounds 3
//! ```
//!
//! Writes `benches/results/cycle-N.md` and `.json`.

mod measure;
mod report;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use ipam_rewind::embedded::sample::{self, PlanSize};
use ipam_rewind::embedded::{Options, PrivatePostgres};
use sqlx::{Connection, PgConnection};

use measure::{Measured, folder_size, program};
use report::Report;

#[derive(Parser)]
struct Arguments {
    /// How many prefixes the plan has
    #[arg(long, default_value_t = 100_000)]
    prefixes: u64,
    /// How often everything is repeated
    #[arg(long, default_value_t = 3)]
    rounds: u64,
    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// The tables whose rows a backup holds.
const TABLES: [(&str, &str); 5] = [
    ("vrf", "vrf_id"),
    ("vpc", "vpc_id"),
    ("prefix", "prefix_id"),
    ("vpc_prefix_association", "association_id"),
    ("device42_ipaddress", "id"),
];

/// The programs, the database and the folder of one run.
struct Bench {
    server: PrivatePostgres,
    url: String,
    folder: PathBuf,
    report: Report,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    // Durable, as at a user's site: the commit of a restore waits for the disk.
    let options = Options { durable: true, ..Options::default() };
    let server = PrivatePostgres::start(options).await?;
    let url = server.create_plan_database("ipam").await?;
    let folder = tempfile::tempdir()?;
    let mut plan = PgConnection::connect(&url).await?;
    eprintln!("loading {} prefixes", arguments.prefixes);
    let counts = sample::load(&mut plan, PlanSize { prefixes: arguments.prefixes }).await?;
    sqlx::query("VACUUM ANALYZE").execute(&mut plan).await?;
    let report = Report::new(&counts, arguments.prefixes, arguments.rounds);
    let mut bench = Bench { server, url, folder: folder.path().to_owned(), report };
    for round in 1..=arguments.rounds {
        eprintln!("round {round} of {}", arguments.rounds);
        bench.round(&mut plan, round).await?;
    }
    bench.report.write(Path::new(env!("CARGO_MANIFEST_DIR")))?;
    bench.server.stop().await?;
    Ok(())
}

impl Bench {
    async fn round(&mut self, plan: &mut PgConnection, round: u64) -> Result<()> {
        let store = self.folder.join(format!("store-{round}"));
        self.copies()?;
        let dump = self.dump()?;
        self.rewind(&store, "first backup", &["backup", "first"])?;
        self.size("size: first backup", &store)?;
        self.rewind(&store, "backup, nothing changed", &["backup", "unchanged"])?;

        let before = folder_size(&store)?;
        // The edits are different rows in each round, and so is the state that they start from.
        sample::edit_random(plan, 1_000, round).await?;
        self.rewind(&store, "backup, 1,000 random rows", &["backup", "random"])?;
        self.grown("growth: 1,000 random rows", &store, before)?;
        let ids = Self::ids(&store)?;
        let (first, random) = (ids[2].clone(), ids[0].clone());
        self.rewind(&store, "diff, 1,000 rows", &["diff", &first, &random, "--limit", "0"])?;

        let before = folder_size(&store)?;
        sample::edit_clustered(plan, 1_000, 20, round).await?;
        self.rewind(&store, "backup, 1,000 rows in 20 VRFs", &["backup", "clustered"])?;
        self.grown("growth: 1,000 rows in 20 VRFs", &store, before)?;

        let before = folder_size(&store)?;
        sample::touch_subnets(plan).await?;
        self.rewind(&store, "backup, all subnets touched", &["backup", "touched"])?;
        self.grown("growth: all subnets touched", &store, before)?;

        let touched = Self::ids(&store)?[0].clone();
        sample::edit_random(plan, 1_000, round + 1_000).await?;
        self.rewind(&store, "restore, 1,000 random rows", &["restore", &touched, "--yes"])?;
        self.rewind(&store, "verify", &["verify"])?;
        self.restore_dump(&dump)?;
        self.rewind(
            &store,
            "restore, subnets touched and 2,000 rows",
            &["restore", &first, "--yes"],
        )?;
        let diff = self.rewind(&store, "diff with live", &["diff", &first, "--json"])?;
        ensure!(diff.output.contains("\"identical\": true"), "the restore left differences");
        if round == 1 {
            self.empty_and_restore(plan, &store, &first).await?;
        }
        self.rewind(&store, "cleanup", &["cleanup", "1"])?;
        std::fs::remove_dir_all(&store)?;
        Ok(())
    }

    /// All tables emptied, and everything put back.
    async fn empty_and_restore(
        &mut self,
        plan: &mut PgConnection,
        store: &Path,
        id: &str,
    ) -> Result<()> {
        let tables = TABLES.map(|(table, _)| table).join(", ");
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("TRUNCATE {tables}"))).execute(plan).await?;
        self.rewind(store, "restore into empty tables", &["restore", id, "--yes"])?;
        Ok(())
    }

    /// Runs ipam-rewind; its figures go into the report.
    fn rewind(&mut self, store: &Path, row: &'static str, verb: &[&str]) -> Result<Measured> {
        let store = store.display().to_string();
        let mut arguments = vec!["--store", &store, "--database-url", &self.url, "--quiet"];
        arguments.extend(verb);
        let measured = program(Path::new(env!("CARGO_BIN_EXE_ipam-rewind")), &arguments)?;
        self.report.time(row, &measured);
        Ok(measured)
    }

    fn postgres(&mut self, row: &'static str, name: &str, arguments: &[&str]) -> Result<()> {
        let measured = program(&self.server.bin_dir().join(name), arguments)?;
        self.report.time(row, &measured);
        Ok(())
    }

    /// The raw reads that every backup is measured against.
    fn copies(&mut self) -> Result<()> {
        let url = self.url.clone();
        let plain: String =
            TABLES.iter().map(|(table, _)| format!("COPY {table} TO STDOUT;")).collect();
        self.postgres("psql COPY", "psql", &["-q", "-o", "/dev/null", "-c", &plain, &url])?;
        let order = |(table, key): &(&str, &str)| {
            format!("COPY (SELECT * FROM {table} ORDER BY {key}::text COLLATE \"C\") TO STDOUT;")
        };
        let sorted: String = TABLES.iter().map(order).collect();
        let set = "SET work_mem = '64MB';";
        let sorted = format!("{set}{sorted}");
        self.postgres(
            "psql COPY, in key order",
            "psql",
            &["-q", "-o", "/dev/null", "-c", &sorted, &url],
        )
    }

    fn dump(&mut self) -> Result<PathBuf> {
        let file = self.folder.join("plan.dump");
        let (url, path) = (self.url.clone(), file.display().to_string());
        self.postgres("pg_dump -Fc", "pg_dump", &["-Fc", "-f", &path, &url])?;
        self.report.bytes("size: pg_dump -Fc", std::fs::metadata(&file)?.len());
        Ok(file)
    }

    fn restore_dump(&mut self, file: &Path) -> Result<()> {
        let postgres = self.server.url("postgres", "postgres");
        let psql = self.server.bin_dir().join("psql");
        let fresh = "DROP DATABASE IF EXISTS again";
        program(&psql, &["-q", "-c", fresh, &postgres])?;
        program(&psql, &["-q", "-c", "CREATE DATABASE again OWNER prefix_user", &postgres])?;
        let (again, file) = (self.server.url("again", "prefix_user"), file.display().to_string());
        let arguments = ["-j2", "--no-owner", "-d", &again, &file];
        self.postgres("pg_restore -j2", "pg_restore", &arguments)
    }

    fn size(&mut self, row: &'static str, store: &Path) -> Result<()> {
        self.report.bytes(row, folder_size(store)?);
        Ok(())
    }

    fn grown(&mut self, row: &'static str, store: &Path, before: u64) -> Result<()> {
        self.report.bytes(row, folder_size(store)? - before);
        Ok(())
    }

    /// All backups, newest first.
    fn ids(store: &Path) -> Result<Vec<String>> {
        let binary = Path::new(env!("CARGO_BIN_EXE_ipam-rewind"));
        let store = store.display().to_string();
        let listed = program(binary, &["--store", &store, "list", "--json"])?;
        let list: serde_json::Value = serde_json::from_str(&listed.output)?;
        let backups = list["backups"].as_array().context("a list of backups")?;
        let id = |backup: &serde_json::Value| backup["backup_id"].as_str().map(str::to_owned);
        backups.iter().map(|backup| id(backup).context("an id")).collect()
    }
}
