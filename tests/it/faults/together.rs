//! Two at once: backups share the store, restore and cleanup take turns, and the application goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use sqlx::AssertSqlSafe;

use super::relay::{Fault, Relay};
use super::running::{
    Running, change, held_in_the_middle, hold, let_go, until, until_it_waits_for_a_table, whole,
};
use crate::support::program::{Ended, Program};
use crate::support::{TestDatabase, database, sample_database};

fn body(ended: &Ended) -> Value {
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    serde_json::from_str(&ended.out).expect("a document")
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_at_the_same_time_all_succeed_under_ids_of_their_own() {
    let database = sample_database().await;
    for count in [2, 4] {
        let program = Program::on(&database);
        let start = |_| Running::start(&program, &["backup", "--json"]);
        let running: Vec<_> = (0..count).map(start).collect();
        let mut ids = Vec::new();
        for backup in running {
            let body = body(&backup.ended().await);
            ids.push(body["backup_id"].as_str().expect("an id").to_owned());
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
        ids.reverse();
        assert_eq!(whole(&program), ids);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_while_a_restore_runs_is_told_who_it_is_that_runs() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let (other, target) = (program.backup(), program.backup());
    change(&database).await;
    let (mut restore, held) =
        held_in_the_middle(&database, &program, &["restore", &target, "--yes"]).await;
    let host = nix::unistd::gethostname().expect("a name");
    let who = format!(
        "restore of {target} (process {} on {}, since ",
        restore.pid(),
        host.to_string_lossy()
    );
    let late: [&[&str]; 3] =
        [&["restore", &other, "--yes"], &["cleanup", "1"], &["delete", &other, "--yes"]];
    for arguments in late {
        let ended = program.run(arguments);
        assert_eq!(ended.code, 6, "{arguments:?}: {}", ended.err);
        assert!(ended.err.contains(&who), "{}", ended.err);
    }
    let_go(held).await;
    let ended = restore.ended().await;
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(whole(&program).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cleanup_beside_a_backup_unlinks_leaves_the_space_and_harms_nothing() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let [first, _, third] = [program.backup(), program.backup(), program.backup()];
    database.sql("UPDATE prefix SET tags = '{}' WHERE source = 'vpc'").await;
    let relay = Relay::to(&database, Fault::HoldUpAfter(100_000)).await;
    let arguments = ["backup", "--json", "--database-url", &relay.url];
    let backup = Running::start(&program, &arguments);
    until("a read that is held up", async || relay.struck() > 0).await;

    let deletion = Running::start(&program, &["delete", &first, "--yes"]);
    let deleted = deletion.ended().await;
    assert_eq!(deleted.code, 0, "{}", deleted.err);
    assert!(deleted.out.contains("space is freed by the next cleanup"), "{}", deleted.out);
    let mut cleanup = Running::start(&program, &["cleanup", "1"]);
    let cleaning = cleanup.pid();
    until("an unlinked backup", async || program.ids() == [third.as_str()]).await;
    // It still waits for the backup to end, and meanwhile nobody restores.
    let restore = program.run(&["restore", &third, "--yes"]);
    assert_eq!(restore.code, 6, "{}", restore.err);
    let who = format!("cleanup (process {cleaning} on ");
    assert!(restore.err.contains(&who), "{}", restore.err);
    let cleaned = cleanup.ended().await;
    assert!(
        cleaned.out.contains("space is freed by the next cleanup"),
        "{}{}",
        cleaned.out,
        cleaned.err
    );
    drop(relay);
    let made = body(&backup.ended().await);
    let made = made["backup_id"].as_str().expect("an id").to_owned();
    let mut left = whole(&program);
    left.sort();
    let mut expected = [third, made];
    expected.sort();
    assert_eq!(left, expected);
    program.ok(&["cleanup", "1"]);
    assert_eq!(whole(&program).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncate_beside_a_backup_is_seen_as_a_whole_or_not_at_all() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let rows = database.value("SELECT count(*) FROM device42_ipaddress").await;
    assert_ne!(rows, "0");
    // It locks every table before it takes its snapshot: the other has to wait for it.
    let relay = Relay::to(&database, Fault::HoldUpAfter(100_000)).await;
    let arguments = ["backup", "--json", "--database-url", &relay.url];
    let backup = Running::start(&program, &arguments);
    until("a read that is held up", async || relay.struck() > 0).await;
    let truncate = "SET lock_timeout = '200ms'; TRUNCATE device42_ipaddress";
    let refused = database.try_sql(truncate).await;
    assert!(
        refused.is_err_and(|error| error.to_string().contains("lock timeout")),
        "the table was emptied under the backup"
    );
    drop(relay);
    let before = body(&backup.ended().await);

    // The other way round the backup waits, and then sees what the other has done.
    let mut held = hold(&database, "TRUNCATE device42_ipaddress").await;
    let backup = Running::start(&program, &["backup", "--json"]);
    until_it_waits_for_a_table(&database).await;
    sqlx::raw_sql("COMMIT").execute(&mut held).await.expect("committed");
    let after = body(&backup.ended().await);
    let counted = |body: &Value| body["backup_info"]["datasets"]["public_ips"]["rows"].as_u64();
    let (before, after) = (counted(&before).expect("rows"), counted(&after).expect("rows"));
    assert_eq!((before - after).to_string(), rows);
}

#[tokio::test]
async fn somebody_who_waits_for_a_table_does_not_hold_a_backup_for_ever() {
    let database = sample_database().await;
    let program = Program::on(&database);
    program.backup();
    // The first session of a backup has the other tables by now. Whoever waits for them waits for that
    // session, and a second one that stood in the queue behind them would wait, too.
    let held = hold(&database, "LOCK TABLE device42_ipaddress IN ACCESS EXCLUSIVE MODE").await;
    let backup = Running::start(&program, &["backup"]);
    until_it_waits_for_a_table(&database).await;
    let mut waiting = tokio::task::JoinSet::new();
    for table in ["vrf", "vpc", "prefix", "vpc_prefix_association"] {
        let mut connection = database.connect().await;
        let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; COMMIT");
        waiting.spawn(
            async move { sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut connection).await },
        );
    }
    let queue = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE datname = current_database() AND mode = 'AccessExclusiveLock' AND NOT granted";
    until("a queue", async || database.value(queue).await == "4").await;
    drop(held);
    let ended = backup.ended().await;
    assert_eq!(ended.code, 0, "{}", ended.err);
    for done in waiting.join_all().await {
        done.expect("their turn came");
    }
}

/// An application that never leaves a VPC without its prefix, and moves a unit from one tag to
/// another, until it is told to stop.
async fn work(database: &TestDatabase, stop: Arc<AtomicBool>) -> u32 {
    let mut connection = database.connect().await;
    let mut steps = 0;
    while !stop.load(Ordering::Relaxed) {
        let transaction = format!(
            "BEGIN;
             WITH made AS (INSERT INTO vpc VALUES (gen_random_uuid(), 'busy', 'other', 'busy',
                'v{steps}', 'r', '{{}}') RETURNING vpc_id)
             INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable, vpc_id)
                SELECT 'busy-{steps}', 'busy', ('10.0.0.0'::inet + {steps})::cidr, 'vpc', false,
                vpc_id FROM made;
             UPDATE vrf SET tags = jsonb_build_object('n', (tags->>'n')::int - 1)
                WHERE vrf_id = 'prod-vrf';
             UPDATE vrf SET tags = jsonb_build_object('n', (tags->>'n')::int + 1)
                WHERE vrf_id = 'busy';
             COMMIT"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(transaction))
            .execute(&mut connection)
            .await
            .expect("the application works");
        steps += 1;
    }
    steps
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_beside_an_application_that_writes_holds_nothing_half_done() {
    let database = database().await;
    let program = Program::on(&database);
    database
        .sql(
            "INSERT INTO vrf VALUES ('busy', 'busy', '{\"n\": 0}');
             UPDATE vrf SET tags = '{\"n\": 0}' WHERE vrf_id = 'prod-vrf'",
        )
        .await;
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    let mut backups = Vec::new();
    let application = work(&database, told);
    let backing_up = async {
        for _ in 0..3 {
            let backup = Running::start(&program, &["backup", "--json"]);
            let made = body(&backup.ended().await);
            backups.push(made["backup_id"].as_str().expect("an id").to_owned());
        }
        stop.store(true, Ordering::Relaxed);
    };
    let (steps, ()) = tokio::join!(application, backing_up);
    let mut seen = Vec::new();
    for id in &backups {
        program.ok(&["restore", id, "--yes"]);
        let numbers = "SELECT concat_ws(' ', (SELECT count(*) FROM vpc),
            (SELECT count(*) FROM prefix), (SELECT tags->>'n' FROM vrf WHERE vrf_id = 'busy'),
            (SELECT sum((tags->>'n')::int) FROM vrf))";
        let numbers = database.value(numbers).await;
        let done = numbers.split(' ').next().expect("a number").to_owned();
        assert_eq!(numbers, format!("{done} {done} {done} 0"));
        seen.push(done.parse::<u32>().expect("a number"));
    }
    assert!(seen.is_sorted() && seen[2] > seen[0] && seen[2] <= steps, "{seen:?} of {steps}");
}
