//! A standby as the source of backups.

use sqlx::{AssertSqlSafe, Connection};

use super::{Backups, plan_on, updates};
use crate::incremental::how;
use crate::support::scratch::Scratch;
use crate::support::serving::until;
use ipam_rewind::model::CaptureMode;

/// Waits until the standby has what the primary has.
async fn caught_up(standby: &Scratch, primary: &Scratch) {
    let position = primary.value("SELECT pg_current_wal_flush_lsn()").await;
    let there = format!("SELECT pg_last_wal_replay_lsn() >= '{position}'");
    until("the standby", async || standby.value(&there).await == "true").await;
}

/// A primary and its standby.
async fn pair() -> (Scratch, Scratch) {
    let mut primary = plan_on("hot_standby = on").await;
    primary.stop().await;
    let mut standby = primary.copy();
    primary.start().await;
    standby.make_standby(Some(&primary));
    standby.start().await;
    (primary, standby)
}

#[tokio::test]
async fn standby_is_followed_until_it_is_promoted() {
    let ((primary, standby), backups) = (pair().await, Backups::new().await);
    caught_up(&standby, &primary).await;
    backups.add(&standby).await;
    primary
        .sql("UPDATE vrf SET description = 'one' WHERE vrf_id = 'lab'; DELETE FROM prefix WHERE prefix_id = 'six'")
        .await;
    caught_up(&standby, &primary).await;
    backups.add_changes(&standby, 1).await;
    backups.add_changes(&standby, 0).await;
    drop(primary);
    standby.promote().await;
    standby.sql("UPDATE vrf SET description = 'two' WHERE vrf_id = 'corp'").await;
    backups.add_full(&standby, "on another timeline").await;
    standby.sql("UPDATE vrf SET description = 'three' WHERE vrf_id = 'corp'").await;
    backups.add_changes(&standby, 1).await;
}

#[tokio::test]
async fn transaction_of_the_primary_that_is_open_across_a_backup_of_the_standby_is_read_later() {
    let ((primary, standby), backups) = (pair().await, Backups::new().await);
    primary.sql("INSERT INTO vrf (vrf_id) SELECT 'row-' || n FROM generate_series(1, 100) n").await;
    let mut open = primary.connect().await;
    let begin = format!("BEGIN; {}", updates(1));
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut open).await.expect("it begins");
    primary.sql("INSERT INTO vrf (vrf_id) VALUES ('between')").await;
    caught_up(&standby, &primary).await;
    backups.add(&standby).await;
    sqlx::raw_sql("COMMIT").execute(&mut open).await.expect("it commits");
    open.close().await.expect("it ends");
    caught_up(&standby, &primary).await;
    // And the row that was written after it began.
    backups.add_changes(&standby, 101).await;
}

#[tokio::test]
async fn crash_of_a_standby_changes_nothing_that_a_backup_saw() {
    let ((primary, standby), backups) = (pair().await, Backups::new().await);
    for number in 0..4 {
        let insert = format!("INSERT INTO vrf (vrf_id) VALUES ('round-{number}')");
        primary.sql(&insert).await;
        caught_up(&standby, &primary).await;
        backups.add(&standby).await;
        standby.crash(standby.process("background writer").await).await;
    }
    primary.sql("UPDATE vrf SET description = 'last' WHERE vrf_id = 'lab'").await;
    caught_up(&standby, &primary).await;
    let last = backups.add(&standby).await;
    assert_eq!(how(&last).mode, CaptureMode::Changes, "{:?}", how(&last));
}
