//! Reading the database: each table once, whatever order its rows lie in and however many there are.

use ipam_rewind::engine::Point;

use crate::support::cycle::{Cycle, assert_same};
use crate::support::database;
use crate::support::program::Program;

/// VRFs that take more than the thousand pages from which on a table is read in pieces, and more
/// memory than is sorted at once.
const WIDE: &str = "
    INSERT INTO vrf (vrf_id, description)
    SELECT 'wide-' || md5(n::text), repeat(md5(n::text), 50) FROM generate_series(1, 6000) n";

#[tokio::test]
async fn a_large_table_has_the_same_tree_wherever_its_rows_lie() {
    let cycle = Cycle::new(database().await).await;
    cycle.sql(WIDE).await;
    let pages = "SELECT (pg_relation_size('vrf') / 8192)::text";
    let pages: u32 = cycle.database.value(pages).await.parse().expect("a number");
    assert!(pages > 1_000, "{pages} pages");
    let (before, first) = (cycle.contents().await, cycle.backup().await);

    // A third of the rows to the end of the table, and others into the gaps that they left.
    cycle.sql("UPDATE vrf SET description = description WHERE vrf_id ~ '^wide-[0-4]'").await;
    cycle.sql("VACUUM vrf").await;
    cycle.sql("UPDATE vrf SET description = description WHERE vrf_id ~ '^wide-[a-f]'").await;
    let second = cycle.backup().await;
    let moved = cycle.diff(Point::Backup(first.clone()), Point::Backup(second)).await;
    assert!(moved.identical, "{:?}", moved.datasets);

    cycle.sql("DELETE FROM vrf WHERE vrf_id ~ '^wide-[0-7]'; UPDATE vrf SET tags = '{}'").await;
    cycle.restore(&first).await;
    assert_same(&cycle.contents().await, &before);
}

#[tokio::test]
async fn rows_that_find_no_room_while_they_are_sorted_are_a_failure_in_words() {
    let database = database().await;
    database.sql(WIDE).await;
    let program = Program::on(&database);
    let nowhere = program.store().join("no such folder");
    let mut command = program.command(&["backup"]);
    let failed = command.env("TMPDIR", &nowhere).output().expect("it runs");
    let words = String::from_utf8_lossy(&failed.stderr);
    assert_eq!(failed.status.code(), Some(1), "{words}");
    let wanted = format!("cannot set the rows of vrfs aside in {}", nowhere.display());
    assert!(words.contains(&wanted) && words.contains("No such file"), "{words}");
    assert_eq!(program.json(&["list"])["backups"], serde_json::json!([]));
    program.backup();
}

#[tokio::test]
async fn a_row_that_no_dataset_holds_is_not_left_out_in_silence() {
    let cycle = Cycle::new(database().await).await;
    cycle.sql("ALTER TYPE prefix_source ADD VALUE 'discovered'").await;
    let program = Program::on(&cycle.database);
    program.backup();
    cycle.sql("INSERT INTO vrf (vrf_id) VALUES ('somewhere')").await;
    let row = "INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
        VALUES ('found', 'somewhere', '10.200.0.0/16', 'discovered', true)";
    cycle.sql(row).await;
    let refused = program.run(&["backup"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("a row of the table prefix belongs to none"), "{}", refused.err);
}
