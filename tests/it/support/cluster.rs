//! The private PostgreSQL of the test process, with its template databases.
//!
//! Each test has a runtime of its own that ends with it, so what outlives a test is done on
//! threads apart. The server ends with the process: its watchdog sees to that.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use ipam_rewind::embedded::{Options, PLAN_OWNER, PrivatePostgres, apply_schema, sample};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// What a test's database is a copy of.
#[derive(Clone, Copy)]
pub enum Template {
    Empty,
    Sample,
}

impl Template {
    /// Makes the template when it is first asked for, and returns its name.
    fn name(self) -> &'static str {
        static EMPTY: OnceLock<()> = OnceLock::new();
        static SAMPLE: OnceLock<()> = OnceLock::new();
        match self {
            Self::Empty => {
                EMPTY.get_or_init(|| apart(make_template("plan_empty", None)));
                "plan_empty"
            }
            Self::Sample => {
                let plan = Some(super::SAMPLE);
                SAMPLE.get_or_init(|| apart(make_template("plan_sample", plan)));
                "plan_sample"
            }
        }
    }
}

pub fn postgres() -> &'static PrivatePostgres {
    static SERVER: OnceLock<PrivatePostgres> = OnceLock::new();
    SERVER.get_or_init(|| {
        apart(async {
            let server = PrivatePostgres::start(Options::default()).await;
            let server = server.expect("the private PostgreSQL starts");
            let owned = server.create_owner_database(PLAN_OWNER, PLAN_OWNER).await;
            owned.expect("the role of the plan's owner is created");
            server
        })
    })
}

/// Creates a database of a new name from a template.
pub async fn copy(template: Template) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let template = template.name();
    admin(format!("CREATE DATABASE {name} TEMPLATE {template} OWNER {PLAN_OWNER}")).await;
    name
}

/// Drops a test's database, with whatever connections the test left open.
pub fn drop_database(name: &str) {
    let statement = format!("DROP DATABASE {name} WITH (FORCE)");
    apart(async move { admin(statement).await });
}

/// Creates a database with the empty plan in the encoding that checks no bytes.
pub async fn sql_ascii() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("ascii_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    admin(format!(
        "CREATE DATABASE {name} TEMPLATE template0 OWNER {PLAN_OWNER} ENCODING 'SQL_ASCII' LOCALE 'C'"
    ))
    .await;
    let mut owner =
        PgConnection::connect(&postgres().url(&name, PLAN_OWNER)).await.expect("it connects");
    apply_schema(&mut owner).await.expect("the owner may create the schema");
    owner.close().await.expect("the connection ends in order");
    name
}

/// Alters a test's database.
pub fn alter_database(name: &str, how: &str) {
    let statement = format!("ALTER DATABASE {name} {how}");
    apart(async move { admin(statement).await });
}

async fn make_template(name: &'static str, plan: Option<sample::PlanSize>) {
    // Users' databases mostly sort by a language; what relies on bytes must ask for them.
    let locale = if server_sorts_by_icu().await {
        "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'"
    } else {
        ""
    };
    admin(format!("CREATE DATABASE {name} TEMPLATE template0 OWNER {PLAN_OWNER} {locale}")).await;
    let url = postgres().url(name, PLAN_OWNER);
    let mut owner = PgConnection::connect(&url).await.expect("the template takes connections");
    apply_schema(&mut owner).await.expect("the owner may create the schema");
    if let Some(plan) = plan {
        sample::load(&mut owner, plan).await.expect("the sample plan is loaded");
    }
    owner.close().await.expect("the connection ends in order");
    // A template with a connection, be it of autovacuum, cannot be copied.
    admin(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
}

async fn server_sorts_by_icu() -> bool {
    let mut connection = admin_connection().await;
    sqlx::query_scalar(
        "SELECT current_setting('server_version_num')::int >= 150000
            AND EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i')",
    )
    .fetch_one(&mut connection)
    .await
    .expect("the catalog answers")
}

async fn admin(statement: String) {
    let mut connection = admin_connection().await;
    sqlx::raw_sql(AssertSqlSafe(statement.clone()))
        .execute(&mut connection)
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
    connection.close().await.expect("the connection ends in order");
}

async fn admin_connection() -> PgConnection {
    let url = postgres().url("postgres", "postgres");
    PgConnection::connect(&url).await.expect("the private PostgreSQL takes connections")
}

/// Runs a future to its end on a thread and a runtime of its own.
fn apart<T: Send>(future: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime is built")
                .block_on(future)
        });
        thread.join().expect("the thread does not panic")
    })
}
