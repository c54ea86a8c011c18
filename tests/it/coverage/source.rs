//! A backup knows where it was taken, and is not restored elsewhere unless told so.

use ipam_rewind::embedded::{Options, PLAN_OWNER, PrivatePostgres, apply_schema};
use ipam_rewind::engine::{Engine, Kind, RestoreOptions, Run};
use ipam_rewind::store::{Location, Store};
use sqlx::{Connection, PgConnection};

use super::DISTURB;
use crate::restore_cases::plan;
use crate::support::cycle::{Cycle, words};
use crate::support::{database, program::Program, sample_database};

fn into_other() -> RestoreOptions {
    RestoreOptions { into_other_database: true, ..RestoreOptions::default() }
}

/// An engine over the cycle's store and another database.
fn elsewhere(cycle: &Cycle, url: &str) -> Engine {
    Engine::new(cycle.engine.store().clone(), Some(url.into()))
}

/// A restore through this engine must be refused until told so.
async fn refused_until_told_so(cycle: &Cycle, engine: &Engine, why: &str) {
    let id = cycle.backup().await;
    let backups = cycle.backups().await;
    let refused = engine.restore(&id, &RestoreOptions::default(), &Run::new()).await;
    let error = refused.expect_err("another database");
    assert_eq!(error.kind(), Kind::OtherDatabase, "{}", words(&error));
    assert!(words(&error).contains(why), "{why} in {}", words(&error));
    assert!(error.hint().is_some_and(|hint| hint.contains("--into-other-database")));
    assert_eq!(cycle.backups().await, backups);
    let seen = engine.preview(&id, &RestoreOptions::default(), 1, &Run::new()).await;
    let seen = seen.unwrap_or_else(|error| panic!("preview: {}", words(&error)));
    assert!(seen.other_database.is_some_and(|it| it.contains(why)));
    assert_ne!(seen.source, seen.target);
    let restored = engine.restore(&id, &into_other(), &Run::new()).await;
    let restored = restored.unwrap_or_else(|error| panic!("told so: {}", words(&error)));
    assert_eq!(restored.restore_results.target, seen.target);
    let undo = restored.restore_results.safety_backup.expect("a safety backup");
    let undone = engine.restore(&undo, &RestoreOptions::default(), &Run::new()).await;
    undone.expect("the safety backup is of the target");
}

#[tokio::test]
async fn restore_into_another_database_is_refused_unless_told_so() {
    let cycle = plan().await;
    let other = database().await;
    let engine = elsewhere(&cycle, &other.url);
    refused_until_told_so(&cycle, &engine, "taken from the database").await;
}

#[tokio::test]
async fn restore_into_a_database_of_the_same_name_in_another_cluster_is_refused_unless_told_so() {
    let cycle = plan().await;
    let name = cycle.database.value("SELECT current_database()").await;
    let server = PrivatePostgres::start(Options::default()).await.expect("another cluster");
    server.create_owner_database(&name, PLAN_OWNER).await.expect("a database");
    let url = server.url(&name, PLAN_OWNER);
    let mut owner = PgConnection::connect(&url).await.expect("it takes connections");
    apply_schema(&mut owner).await.expect("the schema is made");
    owner.close().await.expect("closed");
    let engine = elsewhere(&cycle, &url);
    refused_until_told_so(&cycle, &engine, "another cluster").await;
    server.stop().await.expect("it stops");
}

#[tokio::test]
async fn restore_into_the_same_database_under_a_new_name_goes_on_and_is_remarked() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    let name = cycle.database.value("SELECT current_database()").await;
    let renamed = format!("{name}_renamed");
    let admin = crate::support::postgres().url("postgres", "postgres");
    let mut admin = PgConnection::connect(&admin).await.expect("the superuser may connect");
    let rename = |from: &str, to: &str| format!("ALTER DATABASE {from} RENAME TO {to}");
    let sql = sqlx::AssertSqlSafe(rename(&name, &renamed));
    sqlx::raw_sql(sql).execute(&mut admin).await.expect("renamed");
    let url = crate::support::postgres().url(&renamed, PLAN_OWNER);
    let restored =
        elsewhere(&cycle, &url).restore(&id, &RestoreOptions::default(), &Run::new()).await;
    let sql = sqlx::AssertSqlSafe(rename(&renamed, &name));
    sqlx::raw_sql(sql).execute(&mut admin).await.expect("renamed back");
    assert_eq!(restored.expect("the same database").restore_results.target.database, renamed);
}

#[tokio::test]
async fn backup_knows_database_server_and_cluster() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    let manifest = cycle.engine.store().manifest(&id).await.expect("a manifest");
    let system = "SELECT system_identifier FROM pg_control_system()";
    assert_eq!(manifest.snapshot.system_identifier, Some(cycle.database.value(system).await));
    let oid = "SELECT oid FROM pg_database WHERE datname = current_database()";
    let oid = cycle.database.value(oid).await.parse().expect("a number");
    assert_eq!(manifest.snapshot.database_oid, Some(oid));
    let server = manifest.snapshot.server.expect("the server as connected");
    assert!(server.starts_with("[local]:"), "{server}");
}

#[tokio::test]
async fn identifier_that_cannot_be_read_is_said() {
    let cycle = plan().await;
    cycle
        .database
        .sql_as_superuser("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
        .await;
    let id = cycle.backup().await;
    cycle.sql(DISTURB).await;
    let seen = cycle.preview(&id, &RestoreOptions::default()).await;
    assert_eq!(seen.source.system_identifier, None);
    assert!(seen.notes.iter().any(|note| note.contains("by its name alone")), "{:?}", seen.notes);
    let restored = cycle.restore(&id).await;
    assert!(restored.notes.iter().any(|note| note.contains("by its name alone")));
}

#[tokio::test]
async fn command_line_names_source_and_target_everywhere() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let id = program.backup();
    let name = database.value("SELECT current_database()").await;
    for arguments in [
        &["list"][..],
        &["details", &id],
        &["restore", &id, "--dry-run"],
        &["restore", &id, "--yes"],
    ] {
        let ended = program.run(arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.err);
        assert!(ended.out.contains(&format!("{name} at [local]:")), "{arguments:?}: {}", ended.out);
    }
    let other = sample_database().await;
    let at_other = |arguments: &[&str]| {
        let mut command = program.command(arguments);
        command.env("DATABASE_URL", &other.url);
        crate::support::program::Ended::from(command.output().expect("it runs"))
    };
    let seen = at_other(&["restore", &id, "--dry-run"]);
    assert!(seen.out.contains("Another database: "), "{}", seen.out);
    let refused = at_other(&["restore", &id, "--yes"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("--into-other-database"), "{}", refused.err);
    let told = at_other(&["restore", &id, "--yes", "--into-other-database"]);
    assert_eq!(told.code, 0, "{}", told.err);
}

#[tokio::test]
async fn service_refuses_another_database_until_told_so() {
    use crate::support::app::App;
    let (one, other) = (sample_database().await, sample_database().await);
    let app = App::on(&one).await;
    let id = app.backup().await;
    let place = Location::Folder(app.folder.path().join("store"));
    let store = Store::open_or_create(&place).await.expect("the store");
    let engine = Engine::new(store, Some(other.url.clone()));
    let state = app.folder.path().join("other");
    let state = ipam_rewind::service::StateFolder::open(&state).expect("a state folder");
    let service = ipam_rewind::service::Service::start(engine, state).await.expect("it starts");
    let router = ipam_rewind::api::router(service.clone(), ipam_rewind::api::Settings::default());
    let app = App { router, service, folder: app.folder };
    let seen = app.post(&format!("/api/preview/{id}")).await.ok();
    assert!(seen["other_database"].is_string(), "{seen}");
    assert_ne!(seen["source"]["database"], seen["target"]["database"]);
    app.post(&format!("/api/restore/{id}")).await.problem(409, "other_database");
    let told = app.post(&format!("/api/restore/{id}?into_other_database=true")).await.ok();
    assert_eq!(told["restore_results"]["target"]["database"], seen["target"]["database"]);
}
