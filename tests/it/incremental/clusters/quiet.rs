//! A server where nothing else runs, so that the rows that are read can be counted.

use sqlx::Connection;

use super::{Backups, plan_on, updates};
use crate::incremental::how;
use crate::support::serving::until;
use ipam_rewind::model::CaptureMode;

#[tokio::test]
async fn rows_read_are_exactly_those_that_were_written() {
    let (server, backups) = (plan_on("").await, Backups::new().await);
    server
        .sql("ALTER TABLE vrf SET (fillfactor = 50); INSERT INTO vrf (vrf_id) SELECT 'row-' || n FROM generate_series(1, 500) n")
        .await;
    backups.add(&server).await;
    backups.add_changes(&server, 0).await;
    server.sql("UPDATE vrf SET description = 'one'").await;
    backups.add_changes(&server, 504).await;
    server.sql("DELETE FROM vrf WHERE vrf_id ~ '^row-1'").await;
    server.sql("VACUUM vrf").await;
    backups.add_changes(&server, 0).await;
    server.sql("INSERT INTO vrf (vrf_id) VALUES ('row-1'), ('row-10')").await;
    backups.add_changes(&server, 2).await;
    // In place, time and again, and with pages that are tidied between.
    for round in 0..5 {
        let hot = format!("UPDATE vrf SET description = '{round}' WHERE vrf_id = 'row-2'");
        server.sql(&hot).await;
        server.sql("SELECT count(*) FROM vrf").await;
    }
    backups.add_changes(&server, 1).await;
    server.sql("SELECT FROM vrf FOR UPDATE; UPDATE vrf SET description = 'no' WHERE false").await;
    server.sql("BEGIN; UPDATE vrf SET description = 'no'; ROLLBACK").await;
    backups.add_changes(&server, 0).await;
    server.sql("VACUUM (FREEZE, ANALYZE)").await;
    server.sql("REINDEX TABLE vrf; CREATE INDEX ON vrf (description)").await;
    backups.add_changes(&server, 0).await;
}

#[tokio::test]
async fn rows_that_are_copied_in_frozen_are_read() {
    let (server, backups) = (plan_on("").await, Backups::new().await);
    backups.add(&server).await;
    let mut owner = server.connect().await;
    let truncate = "BEGIN; TRUNCATE device42_ipaddress";
    sqlx::raw_sql(truncate).execute(&mut owner).await.expect("it is emptied");
    let copy = "COPY device42_ipaddress (id, ip_address, label) FROM STDIN (FREEZE)";
    let mut copying = owner.copy_in_raw(copy).await.expect("it copies");
    let rows = "1\t203.0.113.1\tweb\n2\t203.0.113.2\tother\n3\t2001:db8::1\tsix\n";
    copying.send(rows.as_bytes()).await.expect("rows are sent");
    copying.finish().await.expect("rows are there");
    sqlx::raw_sql("COMMIT").execute(&mut owner).await.expect("it commits");
    owner.close().await.expect("it ends");
    let made = backups.add(&server).await;
    let why = &how(&made).tables["device42_ipaddress"];
    assert!(why.contains("its files are others"), "{why}");
    backups.add_changes(&server, 0).await;
}

#[tokio::test]
async fn prepared_transaction_with_many_subtransactions_is_read_when_it_commits() {
    let (server, backups) = (plan_on("max_prepared_transactions = 4").await, Backups::new().await);
    server.sql("INSERT INTO vrf (vrf_id) SELECT 'row-' || n FROM generate_series(1, 200) n").await;
    backups.add(&server).await;
    let prepare = |name: &str, from: u32| {
        format!(
            "BEGIN; UPDATE prefix SET tags = '{{\"{name}\": 1}}' WHERE prefix_id = '{name}';
             {}; SAVEPOINT undone; DELETE FROM prefix WHERE prefix_id = 'north-a'; ROLLBACK TO undone;
             PREPARE TRANSACTION '{name}'",
            updates(from)
        )
    };
    server.sql(&prepare("six", 1)).await;
    server.sql("INSERT INTO vrf (vrf_id) VALUES ('between')").await;
    server.sql(&prepare("south-a", 101)).await;
    backups.add(&server).await;
    server.sql("ROLLBACK PREPARED 'south-a'").await;
    backups.add(&server).await;
    server.sql("COMMIT PREPARED 'six'").await;
    // All of its rows, and the one that was written after it began.
    backups.add_changes(&server, 102).await;
    backups.add_changes(&server, 0).await;
}

#[tokio::test]
async fn rows_that_logical_replication_writes_are_followed() {
    let (server, backups) = (plan_on("wal_level = logical").await, Backups::new().await);
    let socket = server.server().socket_dir().display().to_string();
    // The publisher is another database of the same server.
    server.sql_as_superuser("CREATE DATABASE source").await;
    let source = server.server().url("source", "postgres");
    let mut publisher = sqlx::PgConnection::connect(&source).await.expect("it connects");
    for statement in [
        "CREATE TABLE device42_ipaddress (id integer PRIMARY KEY, ip_address inet, label text)",
        "CREATE PUBLICATION here FOR TABLE device42_ipaddress",
        "SELECT pg_create_logical_replication_slot('here', 'pgoutput')",
    ] {
        sqlx::raw_sql(statement).execute(&mut publisher).await.expect(statement);
    }
    server
        .sql_as_superuser(&format!(
            "CREATE SUBSCRIPTION here CONNECTION 'host={socket} dbname=source user=postgres' PUBLICATION here
             WITH (create_slot = false, copy_data = false, slot_name = 'here')"
        ))
        .await;
    backups.add(&server).await;
    for (statement, sign, rows) in [
        ("INSERT INTO device42_ipaddress VALUES (1001, '203.0.113.9', 'told')", "count(*) = 4", 1),
        ("UPDATE device42_ipaddress SET label = 'again'", "bool_or(label = 'again')", 1),
        ("DELETE FROM device42_ipaddress", "count(*) = 3", 0),
    ] {
        sqlx::raw_sql(statement).execute(&mut publisher).await.expect(statement);
        let sign = format!("SELECT {sign} FROM device42_ipaddress");
        until("the subscriber", async || server.value(&sign).await == "true").await;
        let made = backups.add(&server).await;
        assert_eq!(how(&made).mode, CaptureMode::Changes);
        assert!(how(&made).rows_read >= rows && how(&made).tables.is_empty(), "{:?}", how(&made));
    }
    server.sql_as_superuser("ALTER SUBSCRIPTION here DISABLE").await;
    server.sql_as_superuser("ALTER SUBSCRIPTION here SET (slot_name = NONE)").await;
    server.sql_as_superuser("DROP SUBSCRIPTION here").await;
}
