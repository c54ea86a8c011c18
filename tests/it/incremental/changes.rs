//! What an application does to its rows, and the backup after it.

use ipam_rewind::engine::{Point, RestoreOptions};
use ipam_rewind::model::CaptureMode;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{backup, how, reads, reads_all};
use crate::restore_cases::plan;
use crate::support::cycle::{Cycle, assert_same};
use crate::support::{database, sample_database};

async fn run(connection: &mut PgConnection, statements: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(connection).await;
    done.unwrap_or_else(|error| panic!("{statements}: {error}"));
}

#[tokio::test]
async fn first_backup_reads_all_rows_and_the_next_none() {
    let cycle = plan().await;
    let first = reads_all(&cycle, "no backup to start from").await;
    let second = reads(&cycle, 0).await;
    assert_eq!(how(&second).base, Some(first.backup_id.clone()));
    assert_eq!(second.added_size, 0);
    assert_eq!(how(&second).last_full, how(&first).last_full);
    assert!(how(&first).last_full.is_some());
}

#[tokio::test]
async fn rows_that_are_added_changed_and_deleted_are_followed() {
    let cycle = plan().await;
    backup(&cycle).await;
    cycle.sql("UPDATE vrf SET description = 'changed' WHERE vrf_id = 'lab'").await;
    reads(&cycle, 1).await;
    cycle.sql("INSERT INTO vrf (vrf_id) SELECT 'new-' || n FROM generate_series(1, 50) n").await;
    reads(&cycle, 50).await;
    cycle.sql("DELETE FROM vrf WHERE vrf_id ~ '^new-[12]'").await;
    reads(&cycle, 0).await;
    cycle.sql("DELETE FROM prefix WHERE prefix_id IN ('six', 'lab-a', 'public-1')").await;
    reads(&cycle, 0).await;
    let both = "DELETE FROM vrf WHERE vrf_id ~ '^new-3'; UPDATE vrf SET tags = '{\"a\": 1}' WHERE vrf_id ~ '^new-4';
        INSERT INTO vrf (vrf_id) VALUES ('newer'), ('zz')";
    cycle.sql(both).await;
    reads(&cycle, 13).await;
}

#[tokio::test]
async fn row_that_moves_to_another_dataset_leaves_the_one_that_it_was_in() {
    let cycle = plan().await;
    backup(&cycle).await;
    cycle.sql("UPDATE prefix SET vrf_id = 'public-vrf' WHERE prefix_id = 'six'").await;
    let moved = reads(&cycle, 1).await;
    let rows = |name: &str| moved.part(name).expect("a part").rows;
    assert_eq!((rows("prefixes"), rows("public_ips")), (7, 3));
    // Away and back, while another one goes for good.
    cycle.sql("UPDATE prefix SET vrf_id = 'corp' WHERE prefix_id = 'six'; DELETE FROM prefix WHERE prefix_id = 'public-1'").await;
    reads(&cycle, 1).await;
}

#[tokio::test]
async fn everything_at_once_empties_and_fills_the_tables() {
    let cycle = plan().await;
    let full = backup(&cycle).await;
    cycle.sql("DELETE FROM vpc_prefix_association; DELETE FROM prefix; DELETE FROM vpc; DELETE FROM vrf;
        DELETE FROM device42_ipaddress").await;
    let empty = reads(&cycle, 0).await;
    assert_eq!(empty.parts.iter().map(|part| part.rows).sum::<u64>(), 0);
    reads(&cycle, 0).await;
    cycle.restore(&full.backup_id).await;
    let again = backup(&cycle).await;
    assert_eq!(again.parts, full.parts);
    assert_eq!(how(&again).mode, CaptureMode::Changes);
}

#[tokio::test]
async fn row_that_is_locked_or_updated_back_is_the_same() {
    let cycle = plan().await;
    let first = backup(&cycle).await;
    cycle
        .sql("BEGIN; SELECT * FROM vrf FOR UPDATE; SELECT * FROM prefix FOR KEY SHARE; COMMIT")
        .await;
    reads(&cycle, 0).await;
    cycle.sql("UPDATE vrf SET description = 'other' WHERE vrf_id = 'lab'").await;
    cycle.sql("UPDATE vrf SET description = 'Laboratory' WHERE vrf_id = 'lab'").await;
    let back = reads(&cycle, 1).await;
    assert_eq!((back.parts, back.added_size), (first.parts, 0));
}

#[tokio::test]
async fn rows_that_were_rolled_back_are_not_read() {
    let cycle = plan().await;
    backup(&cycle).await;
    cycle
        .sql("BEGIN; UPDATE vrf SET description = 'no'; DELETE FROM device42_ipaddress; ROLLBACK")
        .await;
    reads(&cycle, 0).await;
    let halves = "BEGIN; INSERT INTO vrf (vrf_id) VALUES ('kept'); SAVEPOINT one;
        INSERT INTO vrf (vrf_id) VALUES ('lost'); UPDATE vrf SET description = 'lost';
        ROLLBACK TO one; SAVEPOINT two; INSERT INTO vrf (vrf_id) VALUES ('kept-too'); RELEASE two; COMMIT";
    cycle.sql(halves).await;
    reads(&cycle, 2).await;
}

#[tokio::test]
async fn transaction_that_is_open_across_a_backup_is_read_by_the_next() {
    let cycle = plan().await;
    let mut application = cycle.database.connect().await;
    run(
        &mut application,
        "BEGIN; INSERT INTO vrf (vrf_id) VALUES ('early'); SAVEPOINT a;
        UPDATE vrf SET description = 'within' WHERE vrf_id = 'lab'; RELEASE a",
    )
    .await;
    // Later transactions end first, so the open one is older than much that the backup has.
    cycle.sql("INSERT INTO vrf (vrf_id) VALUES ('between')").await;
    let first = backup(&cycle).await;
    assert_eq!(first.part("vrfs").expect("a part").rows, 5);
    cycle.sql("INSERT INTO vrf (vrf_id) VALUES ('after')").await;
    backup(&cycle).await;
    run(
        &mut application,
        "SAVEPOINT b; DELETE FROM vrf WHERE vrf_id = 'between'; RELEASE b; COMMIT",
    )
    .await;
    application.close().await.expect("it ends in order");
    let last = backup(&cycle).await;
    assert_eq!(how(&last).mode, CaptureMode::Changes);
    assert_eq!(last.part("vrfs").expect("a part").rows, 6);
}

#[tokio::test]
async fn restore_and_its_undo_are_followed_like_anything_else() {
    let cycle = Cycle::new(sample_database().await).await;
    let first = backup(&cycle).await;
    let before = cycle.contents().await;
    cycle.sql("UPDATE prefix SET tags = '{\"x\": 1}' WHERE prefix_id ~ '1-0-24$'; DELETE FROM device42_ipaddress WHERE id % 3 = 0").await;
    let disturbed = cycle.contents().await;
    let restored = cycle.restore(&first.backup_id).await;
    assert_eq!(restored.restore_results.read_back, CaptureMode::Changes);
    assert_same(&cycle.contents().await, &before);
    let safety = restored.restore_results.safety_backup.clone().expect("there is one");
    let safety = super::manifest(&cycle, &safety).await;
    assert_eq!(how(&safety).mode, CaptureMode::Changes);
    assert_eq!(backup(&cycle).await.parts, first.parts);
    cycle.undo(&restored).await;
    assert_same(&cycle.contents().await, &disturbed);
    backup(&cycle).await;
    let only = RestoreOptions {
        verify_result: ipam_rewind::engine::VerifyResult::Full,
        ..RestoreOptions::default()
    };
    let restored = cycle.restore_with(&first.backup_id, &only).await;
    assert_eq!(restored.restore_results.read_back, CaptureMode::Full);
    assert_same(&cycle.contents().await, &before);
}

#[tokio::test]
async fn comparing_with_live_reads_changes_alone_and_finds_them_all() {
    let cycle = Cycle::new(sample_database().await).await;
    let first = backup(&cycle).await.backup_id;
    cycle
        .sql("DELETE FROM vpc_prefix_association WHERE routable; UPDATE vrf SET description = 'x'")
        .await;
    let twin = cycle.elsewhere().await;
    let all = twin.backup().await;
    let seen = cycle.diff(Point::Backup(first.clone()), Point::Live).await;
    cycle.sql("UPDATE vrf SET description = description").await;
    let again = cycle.diff(Point::Backup(first), Point::Live).await;
    assert_eq!(seen.datasets, again.datasets);
    let same = twin.diff(Point::Backup(all), Point::Live).await;
    assert!(same.identical);
}

#[tokio::test]
async fn many_rows_that_were_written_make_a_table_read_as_a_whole() {
    let cycle = Cycle::new(database().await).await;
    cycle
        .sql(
            "INSERT INTO vrf (vrf_id, description)
        SELECT 'wide-' || n, repeat(md5(n::text), 50) FROM generate_series(1, 25000) n",
        )
        .await;
    backup(&cycle).await;
    cycle.sql("UPDATE vrf SET description = description || '!' WHERE vrf_id ~ '^wide'").await;
    super::reads_whole(&cycle, "vrf", "most of its rows were written since").await;
    cycle.sql("UPDATE vrf SET description = 'short' WHERE vrf_id ~ '^wide-1?[0-9]{1,4}$'; DELETE FROM vrf WHERE vrf_id ~ '7$'").await;
    let last = backup(&cycle).await;
    assert_eq!(how(&last).mode, CaptureMode::Changes);
}

#[tokio::test]
async fn more_changes_than_are_fetched_by_their_places_are_read_by_a_second_pass() {
    let cycle = Cycle::new(database().await).await;
    let fill =
        "INSERT INTO vrf (vrf_id) SELECT 'many-' || md5(n::text) FROM generate_series(1, 20000) n";
    cycle.sql(fill).await;
    backup(&cycle).await;
    cycle.sql("UPDATE vrf SET tags = '{\"a\": 1}' WHERE vrf_id ~ '^many-[0-7]'").await;
    let half = backup(&cycle).await;
    assert!(how(&half).rows_read > 5_000 && how(&half).tables.is_empty(), "{:?}", how(&half));
    cycle.sql("DELETE FROM vrf WHERE vrf_id ~ '^many-[4-b]'").await;
    cycle.sql("VACUUM vrf").await;
    reads(&cycle, 0).await;
}
