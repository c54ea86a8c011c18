//! A restore beside the application: readers go on, writers wait, and who blocks is named.

use std::time::Duration;

use ipam_rewind::engine::{Kind, RestoreOptions};
use ipam_rewind::model::Profile;
use ipam_rewind::postgres::Session;
use sqlx::{Connection, PgConnection};

use super::plan;
use crate::support::cycle::{Cycle, assert_same, words};

/// A transaction that stays open, having done this.
pub async fn open_transaction(cycle: &Cycle, statement: &'static str) -> PgConnection {
    let mut connection = cycle.database.connect().await;
    sqlx::raw_sql("BEGIN").execute(&mut connection).await.expect("it begins");
    sqlx::raw_sql(statement).execute(&mut connection).await.expect("it does that");
    connection
}

async fn pid(connection: &mut PgConnection) -> i32 {
    let query = sqlx::query_scalar("SELECT pg_backend_pid()");
    query.fetch_one(connection).await.expect("the server answers")
}

/// Returns when a session of a restore waits for somebody's lock.
async fn restore_waits(cycle: &Cycle) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
        AND datname = current_database() AND application_name = 'ipam-rewind'";
    for _ in 0..1_000 {
        if cycle.database.value(waiting).await == "1" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the restore does not come to wait");
}

fn impatient() -> RestoreOptions {
    RestoreOptions { lock_patience: Duration::ZERO, ..RestoreOptions::default() }
}

#[tokio::test]
async fn readers_see_the_old_state_all_through_and_writers_wait() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    let before = cycle.contents().await;
    cycle
        .sql(
            "DELETE FROM vpc_prefix_association; UPDATE vrf SET description = 'changed';
             INSERT INTO device42_ipaddress (ip_address, label) VALUES ('::', 'new');
             INSERT INTO idempotency_record (request_id, created_at) VALUES ('new', now())",
        )
        .await;
    let disturbed = cycle.contents().await;
    // This record is the last that a restore removes: all else is written by then.
    let record = "SELECT FROM idempotency_record FOR UPDATE";
    let holder = open_transaction(&cycle, record).await;
    let beside = async {
        restore_waits(&cycle).await;
        let reading = tokio::time::timeout(Duration::from_secs(5), cycle.contents());
        assert_same(&reading.await.expect("readers do not wait"), &disturbed);
        let write = "SET lock_timeout = '100ms'; UPDATE vrf SET description = 'by a writer'";
        let writer = cycle.database.try_sql(write).await.expect_err("writers wait");
        assert!(writer.to_string().contains("lock timeout"), "{writer}");
        holder.close().await.expect("the holder lets go");
    };
    tokio::join!(cycle.restore(&id), beside);
    assert_same(&cycle.contents().await, &before);
}

#[tokio::test]
async fn a_writer_that_does_not_let_go_is_named() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    let mut writer = open_transaction(&cycle, "UPDATE prefix SET tags = '{}'").await;
    let error = cycle.refuses(&id, &impatient()).await;
    assert_eq!(error.kind(), Kind::Busy, "{}", words(&error));
    let named = format!("process {} ", pid(&mut writer).await);
    assert!(words(&error).contains(&named), "{}", words(&error));
    writer.close().await.expect("the writer lets go");
    cycle.restore(&id).await;
}

#[tokio::test]
async fn whoever_has_rows_locked_and_does_not_let_go_is_named() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle.sql("UPDATE prefix SET tags = '{\"changed\": 1}'").await;
    let mut holder = open_transaction(&cycle, "SELECT FROM prefix FOR UPDATE").await;
    let options = impatient();
    let refused = tokio::time::timeout(Duration::from_secs(20), cycle.refuses(&id, &options));
    let error = refused.await.expect("the restore does not wait for ever");
    assert_eq!(error.kind(), Kind::Busy, "{}", words(&error));
    let named = format!("process {} ", pid(&mut holder).await);
    assert!(words(&error).contains(&named), "{}", words(&error));
}

#[tokio::test]
async fn a_lock_beside_the_tables_does_not_hold_a_restore_for_ever() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    let add = "INSERT INTO idempotency_record (request_id, created_at) VALUES ('new', now());
        INSERT INTO device42_ipaddress (ip_address, label) VALUES ('::', 'new')";
    cycle.sql(add).await;
    let _holder = open_transaction(&cycle, "SELECT FROM idempotency_record FOR UPDATE").await;
    let options = impatient();
    let refused = tokio::time::timeout(Duration::from_secs(20), cycle.refuses(&id, &options));
    let error = refused.await.expect("the restore does not wait for ever");
    assert_eq!(error.kind(), Kind::Busy, "{}", words(&error));
}

#[tokio::test]
async fn a_writer_that_lets_go_in_time_only_delays_the_restore() {
    let cycle = plan().await;
    let before = cycle.contents().await;
    let id = cycle.backup().await;
    let mut writer = open_transaction(&cycle, "DELETE FROM vpc_prefix_association").await;
    let beside = async {
        restore_waits(&cycle).await;
        let commit = sqlx::raw_sql("COMMIT").execute(&mut writer);
        commit.await.expect("it commits");
    };
    let (restored, ()) = tokio::join!(cycle.restore(&id), beside);
    assert_same(&cycle.contents().await, &before);
    let vpcs = restored.restore_results.datasets["vpcs"];
    assert_eq!(vpcs.inserted, 2, "what was committed meanwhile is undone, too");
}

#[tokio::test]
async fn nobody_is_waited_for_who_waits_for_the_restore_itself() {
    let cycle = plan().await;
    let mut session = Session::connect(&cycle.database.url).await.expect("it connects");
    session.begin_look().await.expect("a transaction begins");
    let site = session.site(Profile::builtin()).await.expect("the tables are there");
    session.rollback().await.expect("it ends");
    session.begin_exclusive(&site, Duration::ZERO).await.expect("nobody is in the way");
    assert!(session.beside(&site).await.is_some(), "two read faster than one");

    let alter = async {
        cycle.sql("ALTER TABLE prefix ADD note text").await;
    };
    let restore = async {
        let waiting =
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'
            AND relation = 'prefix'::regclass";
        while cycle.database.value(waiting).await != "1" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let beside = tokio::time::timeout(Duration::from_secs(5), session.beside(&site));
        assert!(beside.await.expect("it does not wait").is_none());
        session.rollback().await.expect("it ends");
    };
    tokio::join!(alter, restore);
}
