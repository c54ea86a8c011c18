//! A PostgreSQL cluster of one test, which stops it, copies it, changes it from outside and starts it again.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use ipam_rewind::embedded::{Options, PLAN_OWNER, PrivatePostgres};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::serving::until;

const DATABASE: &str = "plan";

/// A cluster with one database that has the empty plan.
pub struct Scratch {
    folder: tempfile::TempDir,
    server: Option<PrivatePostgres>,
    /// The folder of the server's programs.
    programs: PathBuf,
}

impl Scratch {
    /// Makes a cluster with these settings, and starts it.
    pub async fn new(settings: &str) -> Self {
        let (folder, programs) = (open_folder(), PathBuf::new());
        let mut scratch = Self { folder, server: None, programs };
        scratch.start().await;
        let made = scratch.server().create_plan_database(DATABASE).await;
        made.expect("the database is made");
        scratch.stop().await;
        scratch.configure("fsync = off\nautovacuum = off\n");
        scratch.configure(settings);
        scratch.start().await;
        scratch
    }

    /// Copies the stopped cluster.
    pub fn copy(&self) -> Self {
        assert!(self.server.is_none(), "only a stopped cluster is copied");
        let (folder, programs) = (open_folder(), self.programs.clone());
        let copy = Self { folder, server: None, programs };
        copy_folder(self.data(), copy.data());
        copy
    }

    /// Puts the data directory of the stopped cluster back to an earlier copy.
    pub fn put_back(&self, earlier: &Self) {
        assert!(self.server.is_none(), "only a stopped cluster is put back");
        fs::remove_dir_all(self.data()).expect("the data directory is removed");
        copy_folder(earlier.data(), self.data());
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Adds settings, which hold from the next start.
    pub fn configure(&self, settings: &str) {
        let path = self.data().join("postgresql.auto.conf");
        let file = OpenOptions::new().append(true).open(path);
        let written = file.and_then(|mut file| writeln!(file, "{settings}"));
        written.expect("the settings are written");
    }

    /// Makes the stopped cluster a standby from the next start; of that server, if there is one.
    pub fn make_standby(&self, primary: Option<&Self>) {
        let signal = self.data().join("standby.signal");
        fs::write(&signal, "").expect("the file is written");
        self.own(&signal);
        if let Some(primary) = primary {
            let folder = primary.server().socket_dir().display();
            self.configure(&format!("primary_conninfo = 'host={folder} user=postgres'"));
        }
    }

    /// Hands a file to the account of the server.
    pub fn own(&self, path: &std::path::Path) {
        let data = fs::metadata(self.data()).expect("the data directory is there");
        std::os::unix::fs::chown(path, Some(data.uid()), Some(data.gid())).expect("it is handed");
    }

    pub async fn start(&mut self) {
        let options = Options { data_dir: Some(self.data()), durable: true, programs: None };
        let server = PrivatePostgres::start(options).await;
        let server = server.unwrap_or_else(|error| panic!("{error}"));
        server.bin_dir().clone_into(&mut self.programs);
        self.server = Some(server);
    }

    pub async fn stop(&mut self) {
        let server = self.server.take().expect("it runs");
        server.stop().await.expect("it stops");
    }

    pub fn server(&self) -> &PrivatePostgres {
        self.server.as_ref().expect("it runs")
    }

    /// Runs a program of the server's on the stopped cluster, as the server's account.
    pub fn run(&self, program: &str, arguments: &[&str]) {
        assert!(self.server.is_none(), "{program} needs a stopped cluster");
        let data = fs::metadata(self.data()).expect("the data directory is there");
        let path = self.programs.join(program);
        let mut command = Command::new(&path);
        command.arg("-D").arg(self.data()).args(arguments).current_dir("/");
        if data.uid() != nix::unistd::Uid::effective().as_raw() {
            command.uid(data.uid()).gid(data.gid());
        }
        let output = command.output();
        let output = output.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(output.status.success(), "{program}: {output:?}");
    }

    /// The address for the owner of the tables.
    pub fn url(&self) -> String {
        self.server().url(DATABASE, PLAN_OWNER)
    }

    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.expect("the server takes connections")
    }

    /// Runs statements as the owner of the tables, outside a transaction.
    pub async fn sql(&self, statements: &str) {
        run(&self.url(), statements).await;
    }

    /// Runs statements as a superuser.
    pub async fn sql_as_superuser(&self, statements: &str) {
        self.sql_in(DATABASE, statements).await;
    }

    /// Runs statements as a superuser in this database.
    pub async fn sql_in(&self, database: &str, statements: &str) {
        run(&self.server().url(database, "postgres"), statements).await;
    }

    /// Runs statements in each database, also in the template that takes no connections.
    pub async fn sql_everywhere(&self, statements: &str) {
        let open = "UPDATE pg_database SET datallowconn = true";
        self.sql_as_superuser(open).await;
        for database in [DATABASE, "postgres", "template0", "template1"] {
            self.sql_in(database, statements).await;
        }
    }

    /// The one value of a query of a superuser, as text.
    pub async fn value(&self, query: &str) -> String {
        let url = self.server().url(DATABASE, "postgres");
        let mut connection = PgConnection::connect(&url).await.expect("the superuser may connect");
        let query = format!("SELECT ({query})::text");
        let value = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut connection).await;
        value.expect("the query gives one value")
    }

    /// The one number of a query of a superuser.
    pub async fn number(&self, query: &str) -> u64 {
        self.value(query).await.parse().expect("a number")
    }

    /// The process of the server that does this kind of work.
    pub async fn process(&self, kind: &str) -> Pid {
        let query = format!("SELECT pid FROM pg_stat_activity WHERE backend_type = '{kind}'");
        Pid::from_raw(self.value(&query).await.parse().expect("a process id"))
    }

    /// Uses up so many transaction ids.
    pub async fn burn(&self, transactions: usize) {
        let each = "SELECT pg_current_xact_id(); COMMIT; BEGIN; ".repeat(transactions);
        self.sql(&format!("BEGIN; {each} COMMIT")).await;
    }

    /// Kills one of the server's processes, so that it loses its memory and recovers from the WAL. Waits until it
    /// has.
    pub async fn crash(&self, process: Pid) {
        let mut witness = self.connect().await;
        kill(process, Signal::SIGKILL).expect("it is killed");
        until("the end of all sessions", async || witness.ping().await.is_err()).await;
        let url = self.url();
        until("the server after its crash", async || PgConnection::connect(&url).await.is_ok())
            .await;
    }

    /// Makes the standby a primary.
    pub async fn promote(&self) {
        assert_eq!(self.value("SELECT pg_promote()").await, "true");
    }

    /// Has the server tell one start time for ever, as one does whose memory is put back with its disk.
    pub async fn hide_starts(&self) {
        self.sql_as_superuser(
            "ALTER FUNCTION pg_catalog.pg_postmaster_start_time() RENAME TO pg_postmaster_real_start_time;
             CREATE FUNCTION pg_catalog.pg_postmaster_start_time() RETURNS timestamptz LANGUAGE sql STABLE
             AS $$ SELECT timestamptz '2026-01-01 00:00:00+00' $$",
        )
        .await;
    }
}

async fn run(url: &str, statements: &str) {
    let mut connection = PgConnection::connect(url).await.expect("the server takes connections");
    let done = sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut connection).await;
    done.unwrap_or_else(|error| panic!("{statements:.500}: {error}"));
    connection.close().await.expect("the connection ends in order");
}

/// A folder that the account of the server may enter.
fn open_folder() -> tempfile::TempDir {
    let folder = super::folder();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("it is ours");
    folder
}

/// Copies a folder with the owners of its files.
fn copy_folder(from: PathBuf, to: PathBuf) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().expect("cp runs");
    assert!(copied.success(), "cp: {copied}");
}
