//! A backup of one server is restored on another, of another version where
//! `IPAM_REWIND_PG_VERSIONS` names folders of server programs, separated by colons; else on a second
//! cluster of the same version.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;

use ipam_rewind::embedded::sample::{self, PlanSize};
use ipam_rewind::embedded::{Options, PrivatePostgres};
use ipam_rewind::engine::{BackupRequest, Engine, RestoreOptions, Run};
use ipam_rewind::model::{BackupId, Dataset, Hash};
use ipam_rewind::store::{Location, Store};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::cycle::words;
use crate::support::dump;

/// Values whose text a version might write in another way.
const VALUES: &str = r#"
    ALTER TABLE vrf ADD real real, ADD double float8, ADD number numeric, ADD bytes bytea,
        ADD span interval, ADD moment timestamptz, ADD numbers int[], ADD range int4range;
    INSERT INTO vrf (vrf_id, description, tags, real, double, number, bytes, span, moment, numbers, range) VALUES
        ('values-1', E'tab\t newline\n \\. "quotes" 🦀', '{"π": 1e400, "a": {"b": [1, null]}}', 0.1, 1e-300,
         1.10, '\x00ff', '1 mon -2 days 03:04:05.6', '2025-09-20 14:30:22.123456+02', '{1,NULL,3}', '[1,5)'),
        ('values-2', '', '{}', 'NaN', '-Infinity', 'NaN', '', '0', 'infinity', '{}', 'empty');
"#;

/// A server with a plan, and its backup.
struct Site {
    name: String,
    server: PrivatePostgres,
    contents: BTreeMap<String, String>,
    backup: BackupId,
    roots: BTreeMap<Dataset, Hash>,
}

fn programs() -> Vec<Option<PathBuf>> {
    match env::var("IPAM_REWIND_PG_VERSIONS") {
        Ok(folders) => folders.split(':').map(|folder| Some(folder.into())).collect(),
        Err(_) => vec![None, None],
    }
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("the server takes connections")
}

/// The rows of the covered tables, their sequences and triggers. How indexes and constraints are
/// printed depends on the version.
async fn contents(url: &str) -> BTreeMap<String, String> {
    let mut contents = dump(&mut connect(url).await).await;
    contents.retain(|name, _| {
        !["indexes", "constraints", "_sqlx_migrations", "idempotency_record"]
            .contains(&name.as_str())
    });
    contents
}

async fn backup(store: &Store, url: &str) -> (BackupId, BTreeMap<Dataset, Hash>) {
    let engine = Engine::new(store.clone(), Some(url.to_owned()));
    let made = engine.backup(BackupRequest::default(), &Run::new()).await;
    let made = made.unwrap_or_else(|error| panic!("backup: {}", words(&error)));
    let datasets = made.backup_info.datasets.iter();
    (made.backup_id, datasets.map(|(dataset, summary)| (dataset.clone(), summary.root)).collect())
}

async fn restore(store: &Store, url: &str, id: &BackupId) -> Option<BackupId> {
    let engine = Engine::new(store.clone(), Some(url.to_owned()));
    let options = RestoreOptions { into_other_database: true, ..RestoreOptions::default() };
    let done = engine.restore(id, &options, &Run::new()).await;
    let done = done.unwrap_or_else(|error| panic!("restore of {id}: {}", words(&error)));
    done.restore_results.safety_backup
}

/// A site of this version whose plan was backed up, changed, restored, undone and restored again.
async fn site(store: &Store, programs: Option<PathBuf>) -> Site {
    let server = PrivatePostgres::start(Options { programs, ..Options::default() }).await;
    let server = server.expect("the server starts");
    let url = server.create_plan_database("plan").await.expect("a database");
    let mut connection = connect(&url).await;
    sqlx::raw_sql(AssertSqlSafe(VALUES)).execute(&mut connection).await.expect("values");
    sample::load(&mut connection, PlanSize { prefixes: 300 }).await.expect("a plan");
    let version: String = sqlx::query_scalar("SELECT current_setting('server_version')")
        .fetch_one(&mut connection)
        .await
        .expect("a version");
    let before = contents(&url).await;
    let (backup, roots) = backup(store, &url).await;
    sample::make_mess(&mut connection).await.expect("a mess");
    let changed = contents(&url).await;
    let safety = restore(store, &url, &backup).await.expect("a safety backup");
    assert_eq!(contents(&url).await, before, "restored on {version}");
    restore(store, &url, &safety).await;
    assert_eq!(contents(&url).await, changed, "undone on {version}");
    Site { name: version, server, contents: before, backup, roots }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_each_version_restored_on_each_other_version_is_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open_or_create(&Location::Folder(folder.path().to_owned())).await;
    let store = store.expect("a store");
    let mut sites = Vec::new();
    for programs in programs() {
        sites.push(site(&store, programs).await);
    }
    let mut pairs = 0;
    for (place, to) in sites.iter().enumerate() {
        let url = to.server.create_plan_database("other").await.expect("a database");
        let columns = VALUES.split("INSERT").next().expect("the columns");
        let mut connection = connect(&url).await;
        sqlx::raw_sql(AssertSqlSafe(columns)).execute(&mut connection).await.expect("columns");
        for (_, from) in sites.iter().enumerate().filter(|(from, _)| *from != place) {
            restore(&store, &url, &from.backup).await;
            let way = format!("from {} to {}", from.name, to.name);
            assert_eq!(contents(&url).await, from.contents, "{way}");
            assert_eq!(backup(&store, &url).await.1, from.roots, "{way}");
            println!("restored {way}");
            pairs += 1;
        }
    }
    assert_eq!(pairs, sites.len() * (sites.len() - 1));
    for site in sites {
        site.server.stop().await.expect("it stops");
    }
}
