//! Locks that nobody lets go: every operation ends after a bounded wait and names the holder.

use std::time::Duration;

use ipam_rewind::engine::{
    BackupRequest, Engine, EngineError, Kind, Point, RestoreOptions, Run, Selection,
};
use ipam_rewind::model::BackupId;
use sqlx::{Connection, PgConnection};

use super::locks::open_transaction;
use super::plan;
use crate::support::cycle::{Cycle, words};

/// Longer than any operation may take here.
const BOUND: Duration = Duration::from_mins(1);

fn impatient(cycle: &Cycle) -> Engine {
    cycle.engine.clone().with_lock_timeout(Duration::from_millis(200))
}

async fn bounded<T>(work: impl Future<Output = Result<T, EngineError>>) -> EngineError {
    let ended = tokio::time::timeout(BOUND, work).await.expect("the wait is bounded");
    match ended {
        Ok(_) => panic!("it must not succeed"),
        Err(error) => error,
    }
}

/// What backup, diff, preview, preview of a part and restore say.
async fn refusals(cycle: &Cycle, id: &BackupId) -> Vec<EngineError> {
    let (engine, run) = (impatient(cycle), Run::new());
    let options = RestoreOptions { lock_patience: Duration::ZERO, ..RestoreOptions::default() };
    let selection = Selection { datasets: vec!["vrfs".into()], ..Selection::default() };
    let part = RestoreOptions { selection, ..options.clone() };
    let old = Point::Backup(id.clone());
    vec![
        bounded(Box::pin(engine.backup(BackupRequest::default(), &run))).await,
        bounded(Box::pin(engine.diff(&old, &Point::Live, 1, &run))).await,
        bounded(Box::pin(engine.preview(id, &options, 1, &run))).await,
        bounded(Box::pin(engine.preview(id, &part, 1, &run))).await,
        bounded(engine.restore(id, &options, &run)).await,
    ]
}

fn assert_busy(error: &EngineError, named: &[&str]) {
    let said = words(error);
    assert_eq!(error.kind(), Kind::Busy, "{said}");
    for named in named {
        assert!(said.contains(named), "{named:?} is not in: {said}");
    }
}

async fn pid(connection: &mut PgConnection) -> i32 {
    let query = sqlx::query_scalar("SELECT pg_backend_pid()");
    query.fetch_one(connection).await.expect("the server answers")
}

#[tokio::test]
async fn idle_transaction_with_an_exclusive_lock_is_named_by_every_operation() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    let lock = "SET application_name = 'migration'; LOCK TABLE prefix IN ACCESS EXCLUSIVE MODE";
    let mut holder = open_transaction(&cycle, lock).await;
    let process =
        format!("process {} (user prefix_user, application migration", pid(&mut holder).await);
    for error in refusals(&cycle, &id).await {
        let state = ["idle in transaction since 20", "UTC) holds ACCESS EXCLUSIVE on prefix"];
        assert_busy(&error, &[&process, state[0], state[1]]);
    }
    holder.close().await.expect("it lets go");
    cycle.restore(&id).await;
}

#[tokio::test]
async fn prepared_transaction_is_named_by_its_gid() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    let name = cycle.database.value("SELECT current_database()").await;
    let prepare = format!("BEGIN; LOCK TABLE vrf; PREPARE TRANSACTION 'left behind {name}'");
    cycle.sql(&prepare).await;
    let named =
        format!("the prepared transaction 'left behind {name}' (user prefix_user, prepared at 20");
    let errors = refusals(&cycle, &id).await;
    cycle.sql(&format!("ROLLBACK PREPARED 'left behind {name}'")).await;
    for error in errors {
        assert_busy(&error, &[&named, "holds ACCESS EXCLUSIVE on vrf"]);
    }
    let prepare =
        format!("BEGIN; UPDATE vrf SET tags = '{{}}'; PREPARE TRANSACTION 'written {name}'");
    cycle.sql(&prepare).await;
    let options = RestoreOptions { lock_patience: Duration::ZERO, ..RestoreOptions::default() };
    let error = bounded(impatient(&cycle).restore(&id, &options, &Run::new())).await;
    cycle.sql(&format!("ROLLBACK PREPARED 'written {name}'")).await;
    assert_busy(&error, &[&format!("'written {name}'"), "holds ROW EXCLUSIVE on vrf"]);
    cycle.restore(&id).await;
}

#[tokio::test]
async fn alter_table_that_waits_is_named_with_whom_it_waits_for() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    let mut reader = open_transaction(&cycle, "SELECT count(*) FROM vpc").await;
    let alter = async {
        // The server ends it once the reader has gone, or the test.
        let altered = cycle.database.try_sql("ALTER TABLE vpc ADD note text").await;
        altered.expect("it is altered in the end");
    };
    let refused = async {
        let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted
            AND relation = 'vpc'::regclass";
        while cycle.database.value(waiting).await != "1" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let process = format!("process {} ", pid(&mut reader).await);
        for error in refusals(&cycle, &id).await {
            assert_busy(&error, &["waits for ACCESS EXCLUSIVE on vpc", &process]);
        }
        reader.close().await.expect("it lets go");
    };
    tokio::join!(alter, refused);
}

#[tokio::test]
async fn sequence_that_a_transaction_has_drawn_from_is_named() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle.sql("INSERT INTO device42_ipaddress (ip_address, label) VALUES ('::', 'new')").await;
    let draw = "SELECT nextval('device42_ipaddress_id_seq')";
    let mut holder = open_transaction(&cycle, draw).await;
    let options = RestoreOptions { lock_patience: Duration::ZERO, ..RestoreOptions::default() };
    let error = bounded(cycle.engine.restore(&id, &options, &Run::new())).await;
    let process = format!("process {} ", pid(&mut holder).await);
    assert_busy(&error, &[&process, "ROW EXCLUSIVE on device42_ipaddress_id_seq"]);
}

#[tokio::test]
async fn row_of_another_table_that_is_locked_is_named() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle
        .sql(
            "INSERT INTO idempotency_record (request_id, created_at) VALUES ('new', now());
        UPDATE vrf SET description = 'changed'",
        )
        .await;
    let lock = "SELECT FROM idempotency_record FOR UPDATE";
    let mut holder = open_transaction(&cycle, lock).await;
    let options = RestoreOptions { lock_patience: Duration::ZERO, ..RestoreOptions::default() };
    let error = bounded(cycle.engine.restore(&id, &options, &Run::new())).await;
    let process = format!("process {} ", pid(&mut holder).await);
    assert_busy(&error, &[&process, "idempotency_record"]);
}

#[tokio::test]
async fn table_outside_that_refers_to_a_row_and_is_locked_is_named() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle
        .sql(
            "CREATE TABLE note (id int PRIMARY KEY, prefix_id text REFERENCES prefix);
             INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
                 VALUES ('new', 'lab', '192.0.2.0/24', 'manual', true)",
        )
        .await;
    let mut holder = open_transaction(&cycle, "LOCK TABLE note").await;
    let options = RestoreOptions { lock_patience: Duration::ZERO, ..RestoreOptions::default() };
    let error = bounded(cycle.engine.restore(&id, &options, &Run::new())).await;
    let process = format!("process {} ", pid(&mut holder).await);
    assert_busy(&error, &[&process, "ACCESS EXCLUSIVE on note"]);
}

#[tokio::test]
async fn advisory_lock_that_a_check_waits_for_is_named() {
    let cycle = plan().await;
    cycle
        .sql(
            "CREATE FUNCTION one_at_a_time(text) RETURNS bool LANGUAGE plpgsql AS $$
                 BEGIN PERFORM pg_advisory_xact_lock(16); RETURN true; END $$;
             ALTER TABLE vrf ADD CHECK (one_at_a_time(description))",
        )
        .await;
    let id = cycle.backup().await;
    cycle.sql("UPDATE vrf SET description = 'changed'").await;
    let mut holder = open_transaction(&cycle, "SELECT pg_advisory_lock(16)").await;
    let options = RestoreOptions { lock_patience: Duration::ZERO, ..RestoreOptions::default() };
    let error = bounded(cycle.engine.restore(&id, &options, &Run::new())).await;
    let process = format!("process {} ", pid(&mut holder).await);
    assert_busy(&error, &[&process, "holds an advisory lock"]);
    // Locks of a kind that nothing here asks for are in nobody's way.
    cycle.backup().await;
}
