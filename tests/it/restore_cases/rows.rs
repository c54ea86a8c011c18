//! Rows that were added, changed or deleted since, be it one or all of them.

use ipam_rewind::model::Profile;

use super::plan;
use crate::support::cycle::{Cycle, assert_same, changed};
use crate::support::{database, sample_database};

#[tokio::test]
async fn rows_added_changed_and_deleted_since_are_put_right() {
    let cycle = plan().await;
    let disturbance = "
        INSERT INTO vrf (vrf_id) VALUES ('new-vrf');
        INSERT INTO prefix (prefix_id, vrf_id, cidr, parent_prefix_id, source, routable)
            VALUES ('north-b', 'corp', '10.1.3.0/24', 'north', 'manual', true);
        UPDATE prefix SET tags = '{\"changed\": true}' WHERE prefix_id = 'south';
        UPDATE vpc SET description = 'changed';
        DELETE FROM prefix WHERE prefix_id IN ('south-a', 'six', 'public-1');
        DELETE FROM device42_ipaddress WHERE label = 'mail'";
    let restored = cycle.survives(disturbance).await;
    assert_eq!(changed(&restored, "vrfs"), (0, 0, 1));
    assert_eq!(changed(&restored, "prefixes"), (2, 1, 1));
    assert_eq!(changed(&restored, "vpcs"), (0, 2, 0));
    assert_eq!(changed(&restored, "public_ips"), (2, 0, 0));
    assert!(restored.restore_results.proven);
    cycle.triggers_refuse_what_they_must().await;
}

#[tokio::test]
async fn all_tables_emptied_are_filled_again() {
    let cycle = Cycle::new(sample_database().await).await;
    let empty = "TRUNCATE vrf, vpc, prefix, vpc_prefix_association, device42_ipaddress
        RESTART IDENTITY";
    cycle.survives(empty).await;
    cycle.triggers_refuse_what_they_must().await;
}

#[tokio::test]
async fn a_bad_day_in_a_sample_plan_is_undone() {
    let cycle = Cycle::new(sample_database().await).await;
    let before = cycle.contents().await;
    let id = cycle.backup().await;
    let mut connection = cycle.database.connect().await;
    ipam_rewind::embedded::sample::make_mess(&mut connection).await.expect("the mess is made");
    let disturbed = cycle.contents().await;
    let restored = cycle.restore(&id).await;
    assert_same(&cycle.contents().await, &before);
    cycle.undo(&restored).await;
    assert_same(&cycle.contents().await, &disturbed);
}

#[tokio::test]
async fn the_backup_of_a_database_without_rows_empties_it_again() {
    let cycle = Cycle::new(database().await).await;
    cycle.sql("DELETE FROM vrf").await;
    let preset = "INSERT INTO vrf (vrf_id) VALUES ('prod-vrf'), ('public-vrf');";
    let fill = format!("{preset} {}", super::PLAN);
    let restored = cycle.survives(&fill).await;
    assert_eq!(changed(&restored, "vrfs"), (0, 0, 4));
    cycle.triggers_refuse_what_they_must().await;
}

#[tokio::test]
async fn a_restore_when_nothing_differs_writes_no_row() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    let before = versions(&cycle).await;
    let restored = cycle.restore(&id).await;
    assert_eq!(versions(&cycle).await, before);
    for dataset in Profile::builtin().dataset_names() {
        assert_eq!(changed(&restored, dataset.name()), (0, 0, 0));
    }
}

/// Which transaction wrote each row, and where it lies.
async fn versions(cycle: &Cycle) -> String {
    let of = |table| format!("(SELECT string_agg({table}.ctid::text || xmin, ' ') FROM {table})");
    let tables = ["vrf", "vpc", "prefix", "vpc_prefix_association", "device42_ipaddress"];
    let all = tables.map(of).join(" || ");
    cycle.database.value(&format!("SELECT {all}")).await
}

#[tokio::test]
async fn of_a_hundred_thousand_rows_only_the_changed_one_is_written() {
    let cycle = plan().await;
    let many = "ALTER TABLE prefix DISABLE TRIGGER USER;
        INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
            SELECT 'many-' || n, 'lab', cidr(inet '11.0.0.0' + n), 'manual', false
            FROM generate_series(1, 100000) n;
        ALTER TABLE prefix ENABLE TRIGGER USER";
    cycle.sql(many).await;
    let before = cycle.contents().await;
    let id = cycle.backup().await;
    let change = "UPDATE prefix SET tags = '{\"one\": 1}' WHERE prefix_id = 'many-4711'";
    cycle.sql(change).await;
    let others = "SELECT md5(string_agg(ctid::text || xmin, ' ' ORDER BY prefix_id))
        FROM prefix WHERE prefix_id <> 'many-4711'";
    let untouched = cycle.database.value(others).await;
    let restored = cycle.restore(&id).await;
    assert_same(&cycle.contents().await, &before);
    assert_eq!(cycle.database.value(others).await, untouched);
    assert_eq!(changed(&restored, "prefixes"), (0, 1, 0));
    let results = restored.restore_results.datasets["prefixes"];
    assert_eq!(results.unchanged, 100_007);
}

#[tokio::test]
async fn idempotency_records_newer_than_the_backup_go_and_older_ones_stay() {
    let cycle = plan().await;
    let record = |id: &str, made: &str| {
        format!("INSERT INTO idempotency_record (request_id, created_at) VALUES ('{id}', {made});")
    };
    let old = record("old", "now() - interval '1 hour'") + &record("timeless", "NULL");
    cycle.sql(&old).await;
    let id = cycle.backup().await;
    cycle.sql(&record("new", "now()")).await;
    cycle.sql("UPDATE vrf SET description = 'changed' WHERE vrf_id = 'lab'").await;
    cycle.restore(&id).await;
    let left = "SELECT string_agg(request_id, ' ' ORDER BY request_id) FROM idempotency_record";
    assert_eq!(cycle.database.value(left).await, "old timeless");
}

#[tokio::test]
async fn the_view_of_the_tree_shows_the_restored_tree() {
    let cycle = Cycle::new(sample_database().await).await;
    let tree = "SELECT md5(string_agg(prefix_tree::text, '|' ORDER BY prefix_id)) FROM prefix_tree";
    let before = cycle.database.value(tree).await;
    let id = cycle.backup().await;
    cycle.sql("DELETE FROM vpc_prefix_association; DELETE FROM prefix").await;
    cycle.restore(&id).await;
    assert_eq!(cycle.database.value(tree).await, before);
}
