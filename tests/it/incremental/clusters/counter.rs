//! Transaction ids: their counter moved from outside, and beginning anew. Needs `pg_resetwal`.

use std::fs::OpenOptions;

use super::{Backups, next_transaction, plan_on};
use crate::incremental::how;
use crate::support::scratch::Scratch;
use ipam_rewind::model::CaptureMode;

/// Transactions in a file of `pg_xact`.
const SEGMENT: u64 = 1 << 20;

/// Moves the counter of the server, which is then started, to this transaction.
async fn move_counter(server: &mut Scratch, next: u64) {
    server.stop().await;
    let (epoch, next) = (next >> 32, next & u64::from(u32::MAX));
    // What became of transactions is not asked for of rows that are frozen, but the file is to be there.
    let file = server.data().join(format!("pg_xact/{:04X}", next / SEGMENT));
    let opened = OpenOptions::new().create(true).append(true).open(&file);
    let lengthened = opened.and_then(|file| file.set_len(256 << 10));
    lengthened.expect("the file has room for all of its transactions");
    server.own(&file);
    let oldest = next.saturating_sub(SEGMENT).max(3).to_string();
    let (epoch, next) = (epoch.to_string(), next.to_string());
    server.run("pg_resetwal", &["-f", "-e", &epoch, "-x", &next, "-u", &oldest]);
    server.start().await;
}

/// Backs up just before the counter passes this transaction, and after each step beyond.
async fn cross(server: &Scratch, backups: &Backups, border: u64) {
    while next_transaction(server).await < border - 1 {
        server.burn(1).await;
    }
    assert_eq!(next_transaction(server).await, border - 1);
    backups.add(server).await;
    for round in 0..3 {
        for vrf in ["lab", "corp"] {
            let update =
                format!("UPDATE vrf SET tags = '[{border}, {round}]' WHERE vrf_id = '{vrf}'");
            server.sql(&update).await;
        }
        let made = backups.add(server).await;
        assert_eq!(how(&made).mode, CaptureMode::Changes, "{:?}", how(&made));
        assert!(how(&made).rows_read >= 2, "{:?}", how(&made));
    }
    assert!(next_transaction(server).await > border);
}

#[tokio::test]
async fn counter_that_was_moved_is_read_in_full() {
    let (mut server, backups) = (plan_on("").await, Backups::new().await);
    server.sql_everywhere("VACUUM (FREEZE)").await;
    let back = next_transaction(&server).await + 100;
    server.burn(1_000).await;
    backups.add(&server).await;
    let next = next_transaction(&server).await;
    move_counter(&mut server, back).await;
    server.sql("UPDATE vrf SET description = 'back' WHERE vrf_id = 'lab'").await;
    server.sql("UPDATE prefix SET tags = '{\"back\": 1}' WHERE prefix_id = 'six'").await;
    while next_transaction(&server).await <= next {
        server.burn(100).await;
    }
    backups.add_full(&server, "started anew").await;
    server.sql("UPDATE vrf SET description = 'more' WHERE vrf_id = 'lab'").await;
    backups.add_changes(&server, 1).await;
    move_counter(&mut server, next + 100_000).await;
    server.sql("UPDATE vrf SET description = 'forward' WHERE vrf_id = 'lab'").await;
    backups.add_full(&server, "started anew").await;
}

#[tokio::test]
async fn transaction_ids_that_begin_anew_are_followed() {
    let (mut server, backups) = (plan_on("").await, Backups::new().await);
    let old = server.number("SELECT min(xmin::text::int8) FROM prefix").await;
    for border in [1 << 31, 1 << 32] {
        server.sql_everywhere("VACUUM (FREEZE)").await;
        move_counter(&mut server, border - 50).await;
        server.sql_everywhere("VACUUM (FREEZE)").await;
        backups.add(&server).await;
        let before = reads_again(&server, &backups).await;
        cross(&server, &backups, border).await;
        while next_transaction(&server).await <= border + old + 100 {
            server.burn(300).await;
        }
        backups.add(&server).await;
        let after = reads_again(&server, &backups).await;
        // A frozen row that is older than half of all transactions looks new, and is read again.
        assert_eq!((before, after), (border == 1 << 32, border == 1 << 31), "{border}");
    }
}

/// Whether a backup reads rows although nothing was written.
async fn reads_again(server: &Scratch, backups: &Backups) -> bool {
    let made = backups.add(server).await;
    assert_eq!(how(&made).mode, CaptureMode::Changes, "{:?}", how(&made));
    how(&made).rows_read > 0
}

#[tokio::test]
async fn base_older_than_the_server_can_compare_is_read_in_full() {
    let (mut server, backups) = (plan_on("").await, Backups::new().await);
    // It looks as if it had run all the time.
    server.hide_starts().await;
    server.sql_everywhere("VACUUM (FREEZE)").await;
    backups.add(&server).await;
    let next = next_transaction(&server).await;
    move_counter(&mut server, next + (1 << 30) - 100).await;
    server.sql("UPDATE vrf SET description = 'near' WHERE vrf_id = 'lab'").await;
    let near = backups.add(&server).await;
    assert_eq!(how(&near).mode, CaptureMode::Changes, "{:?}", how(&near));
    backups.store.unlink(&near.backup_id).await.expect("it is removed");
    // Those that are under way count, too.
    move_counter(&mut server, next + (1 << 31) - 5).await;
    server.sql("UPDATE vrf SET description = 'far' WHERE vrf_id = 'corp'").await;
    let mut open = Vec::new();
    for _ in 0..10 {
        let mut connection = server.connect().await;
        let begin = "BEGIN; SELECT pg_current_xact_id()";
        sqlx::raw_sql(begin).execute(&mut connection).await.expect("it begins");
        open.push(connection);
    }
    let far = backups.add_full(&server, "more transactions than").await;
    backups.store.unlink(&far.backup_id).await.expect("it is removed");
    drop(open);
    move_counter(&mut server, next + (1 << 31) + 100).await;
    server.sql("UPDATE vrf SET description = 'farther' WHERE vrf_id = 'corp'").await;
    backups.add_full(&server, "more transactions than").await;
}
