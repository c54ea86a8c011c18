//! A database of its own for every test, copied from a template in one private PostgreSQL that
//! the whole test process shares.

pub mod app;
pub mod clockwork;
mod cluster;
pub mod cycle;
mod dump;
pub mod pooler;
pub mod program;
pub mod receiver;
pub mod recorder;
pub mod s3;
pub mod s3_dialect;
pub mod s3_proxy;
pub mod scratch;
pub mod serving;

use std::collections::BTreeMap;

use nix::sys::statvfs::statvfs;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

pub use dump::dump;

/// The size of the sample plan that tests get.
pub const SAMPLE: ipam_rewind::embedded::sample::PlanSize =
    ipam_rewind::embedded::sample::PlanSize { prefixes: 5_000 };

/// A new folder, in memory where there is room and `TMPDIR` does not say otherwise: a store makes every write
/// durable, so that tests would mostly wait for the disk.
pub fn folder() -> tempfile::TempDir {
    const MEMORY: &str = "/dev/shm";
    const ROOM: u64 = 2 << 30;
    let free = statvfs(MEMORY).map_or(0, |it| it.blocks_available() * it.fragment_size());
    let made = if free >= ROOM && std::env::var_os("TMPDIR").is_none() {
        tempfile::tempdir_in(MEMORY)
    } else {
        tempfile::tempdir()
    };
    made.expect("a folder")
}

/// Returns an HTTP client with default settings.
pub fn http_client() -> reqwest::Client {
    ipam_rewind::tls::client_builder().build().expect("a client")
}

/// A database that belongs to one test and goes with it.
pub struct TestDatabase {
    /// Its address for the tables' owner, who is no superuser.
    pub url: String,
    name: String,
}

/// A database with the empty plan.
pub async fn database() -> TestDatabase {
    TestDatabase::copy_of(cluster::Template::Empty).await
}

/// A database with the sample plan of [`SAMPLE`] prefixes.
pub async fn sample_database() -> TestDatabase {
    TestDatabase::copy_of(cluster::Template::Sample).await
}

/// A database with the empty plan that checks no bytes.
pub async fn sql_ascii_database() -> TestDatabase {
    let name = cluster::sql_ascii().await;
    let owner = ipam_rewind::embedded::PLAN_OWNER;
    TestDatabase { url: postgres().url(&name, owner), name }
}

/// The private PostgreSQL of this test process.
pub fn postgres() -> &'static ipam_rewind::embedded::PrivatePostgres {
    cluster::postgres()
}

impl TestDatabase {
    async fn copy_of(template: cluster::Template) -> Self {
        let name = cluster::copy(template).await;
        let owner = ipam_rewind::embedded::PLAN_OWNER;
        Self { url: postgres().url(&name, owner), name }
    }

    /// A new connection as the tables' owner.
    pub async fn connect(&self) -> PgConnection {
        loop {
            match PgConnection::connect(&self.url).await {
                // A session that was closed a moment ago may still count.
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("53300") => {
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
                connected => return connected.expect("the test's own database takes connections"),
            }
        }
    }

    /// Runs statements as the tables' owner, outside a transaction.
    pub async fn sql(&self, statements: &str) {
        self.try_sql(statements).await.unwrap_or_else(|error| panic!("{statements}: {error}"));
    }

    /// Runs statements that may be refused.
    pub async fn try_sql(&self, statements: &str) -> Result<(), sqlx::Error> {
        let mut connection = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await?;
        connection.close().await
    }

    /// Runs statements in this database as a superuser: for what an owner may not do.
    pub async fn sql_as_superuser(&self, statements: &str) {
        let url = postgres().url(&self.name, "postgres");
        let mut connection = PgConnection::connect(&url).await.expect("the superuser may connect");
        sqlx::raw_sql(AssertSqlSafe(statements))
            .execute(&mut connection)
            .await
            .unwrap_or_else(|error| panic!("{statements}: {error}"));
    }

    /// Alters this database as a superuser of another one, whatever settings it has.
    pub fn alter(&self, how: &str) {
        cluster::alter_database(&self.name, how);
    }

    /// The one value of a query, as text.
    pub async fn value(&self, query: &str) -> String {
        let mut connection = self.connect().await;
        let query = format!("SELECT ({query})::text");
        sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_one(&mut connection)
            .await
            .expect("the query gives one value")
    }

    /// Everything in this database, to compare byte for byte: see [`dump::dump`].
    pub async fn dump(&self) -> BTreeMap<String, String> {
        dump::dump(&mut self.connect().await).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        cluster::drop_database(&self.name);
    }
}
