//! A stranger's reader, written in Python from `store-format.md` alone, prints what PostgreSQL held:
//! from a store that was just made, and from one that was made long ago and must stay readable.
//!
//! `BLESS_GOLDEN=1 cargo test --test it golden` makes the golden store anew; to be done only when
//! the format changes, with the format's version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use ipam_rewind::embedded::sample::{self, PlanSize};
use ipam_rewind::engine::{BackupRequest, Engine, RestoreOptions, Run};
use ipam_rewind::model::{BackupId, Table};
use ipam_rewind::store::{Location, Store};
use sqlx::Executor;

use crate::support::program::{Ended, Program};
use crate::support::{TestDatabase, database, sample_database};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden")
}

/// Runs the reader; what it prints.
fn read(store: &Path, arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reader.py");
    let mut command = Command::new("/usr/bin/python3");
    command.arg(script).arg(store).args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
    let ended = Ended::from(command.output().expect("python3 runs"));
    assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.err);
    ended.out
}

fn sorted(lines: &str) -> Vec<&str> {
    let mut lines: Vec<_> = lines.lines().collect();
    lines.sort_unstable();
    lines
}

/// A table's rows as PostgreSQL writes them, with the columns in the stored order.
async fn held(database: &TestDatabase, table: &Table) -> String {
    let mut connection = database.connect().await;
    connection.execute("SET timezone = 'UTC'; SET datestyle = 'ISO'").await.expect("settings");
    let columns: Vec<_> = table.column_names().collect();
    let copy = format!("COPY (SELECT {} FROM {}) TO STDOUT", columns.join(", "), table.name);
    let rows = connection.copy_out_raw(&copy).await.expect("a readable table");
    let rows: Vec<_> = rows.try_collect().await.expect("rows");
    String::from_utf8(rows.concat()).expect("UTF-8")
}

#[tokio::test]
async fn the_reader_prints_what_postgresql_holds() {
    let database = sample_database().await;
    let program = Program::on(&database);
    program.backup();
    let mut connection = database.connect().await;
    sample::make_mess(&mut connection).await.expect("a mess");
    let id = program.backup();
    let store: Location = program.store().to_str().expect("a path").parse().expect("a folder");
    let store = Store::open(&store).await.expect("the store");
    let manifest = store.manifest(&id.parse().expect("an id")).await.expect("a manifest");
    assert!(read(program.store(), &["list"]).contains(&id));
    let verified = read(program.store(), &["verify"]);
    assert_eq!(verified.lines().count(), 2 * manifest.parts.len());
    for table in &manifest.schema.tables {
        let printed = read(program.store(), &["rows", &id, &table.name]);
        let held = held(&database, table).await;
        assert!(!held.is_empty(), "{}", table.name);
        assert_eq!(sorted(&printed), sorted(&held), "{}", table.name);
    }
}

#[tokio::test]
async fn the_golden_store_is_still_what_it_was() {
    if std::env::var_os("BLESS_GOLDEN").is_some() {
        bless().await;
    }
    let folder = golden().join("store");
    let listed = read(&folder, &["list"]);
    insta::assert_snapshot!("golden_list", listed);
    insta::assert_snapshot!("golden_verify", read(&folder, &["verify"]));
    let mut compared = 0;
    for entry in fs::read_dir(golden().join("rows")).expect("recorded rows") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        let (id, table) = name.split_once('.').expect("ID.table");
        let recorded = fs::read_to_string(&path).expect("rows");
        assert_eq!(sorted(&read(&folder, &["rows", id, table])), sorted(&recorded), "{name}");
        compared += 1;
    }
    assert_eq!(compared, 10, "five tables of two backups");
}

#[test]
fn the_program_still_reads_the_golden_store() {
    // Verifying notes its result in the store, so it works on a copy.
    let program = Program::at(None);
    let mut copy = Command::new("cp");
    copy.arg("-r").arg(golden().join("store/.")).arg(program.store());
    assert!(copy.status().expect("cp runs").success());
    let ids = program.ids();
    assert_eq!(ids.len(), 3);
    assert_eq!(program.ok(&["verify"]).lines().last(), Some("No damage found."));
    let diff = program.json(&["diff", &ids[2], &ids[1]]);
    insta::assert_json_snapshot!("golden_diff", diff["datasets"]);
    assert_eq!(program.json(&["diff", &ids[0], &ids[1]])["identical"], true);
}

/// Makes the golden store: a backup, a second one after a mess, and the restore of the first with
/// its safety backup.
async fn bless() {
    let database = database().await;
    let mut connection = database.connect().await;
    sample::load(&mut connection, PlanSize { prefixes: 300 }).await.expect("a plan");
    let odd = r#"INSERT INTO vrf VALUES (E'odd\tvrf\\.', E'tab\t newline\n \\. "quotes" 🦀', '{"π": 1e400}', true, false),
                 ('empty', '', '{}', true, false), ('null', NULL, '{}', true, false)"#;
    database.sql(odd).await;
    let folder = golden();
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("rows")).expect("a folder");
    let place: Location = folder.join("store").to_str().expect("a path").parse().expect("a folder");
    let store = Store::open_or_create(&place).await.expect("a store");
    let engine = |time: &str| {
        let time: DateTime<Utc> = time.parse().expect("a time");
        let clock = std::sync::Arc::new(move || time);
        Engine::new(store.clone(), Some(database.url.clone())).with_clock(clock)
    };
    let request =
        |text: &str| BackupRequest { description: Some(text.into()), ..BackupRequest::default() };
    let run = Run::new();
    let then = engine("2025-09-20T14:30:22.123456Z");
    let first = then.backup(request("Before major update"), &run).await;
    let first = first.expect("a backup").backup_id;
    record(&store, &database, &first).await;
    sample::make_mess(&mut connection).await.expect("a mess");
    let then = engine("2025-09-21T14:30:22.5Z");
    let second = then.backup(request("After major update"), &run).await;
    let second = second.expect("a backup").backup_id;
    record(&store, &database, &second).await;
    let options = RestoreOptions::default();
    engine("2025-09-21T15:00:00Z").restore(&first, &options, &run).await.expect("a restore");
    fs::remove_dir_all(folder.join("store/locks")).expect("locks");
}

async fn record(store: &Store, database: &TestDatabase, id: &BackupId) {
    for table in &store.manifest(id).await.expect("a manifest").schema.tables {
        let path = golden().join("rows").join(format!("{id}.{}.copy", table.name));
        fs::write(path, held(database, table).await).expect("rows");
    }
}
