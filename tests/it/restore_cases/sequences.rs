//! Sequences: a restore sets them back, its undo forward, and both only with the commit.

use ipam_rewind::engine::RestoreOptions;
use ipam_rewind::postgres::Selection;

use super::{plan, site};
use crate::support::cycle::assert_same;

const ADD: &str = "INSERT INTO device42_ipaddress (ip_address, label)
    SELECT '198.51.100.1', 'new' FROM generate_series(1, 50);";

#[tokio::test]
async fn a_sequence_that_went_on_is_set_back_and_its_undo_sets_it_forward() {
    let cycle = plan().await;
    cycle.survives(ADD).await;
    cycle.sql("INSERT INTO device42_ipaddress (ip_address, label) VALUES ('::', 'next')").await;
    let id = "SELECT id FROM device42_ipaddress WHERE label = 'next'";
    assert_eq!(cycle.database.value(id).await, "4");
}

#[tokio::test]
async fn a_sequence_that_was_never_used_is_as_new_again() {
    let cycle = plan().await;
    cycle.sql("TRUNCATE device42_ipaddress RESTART IDENTITY").await;
    cycle.survives(ADD).await;
}

#[tokio::test]
async fn a_sequence_that_went_on_without_its_table_is_set_back() {
    let cycle = plan().await;
    cycle.survives("SELECT nextval('device42_ipaddress_id_seq') FROM generate_series(1, 9)").await;
}

#[tokio::test]
async fn a_sequence_at_its_end_stays_at_its_end() {
    let cycle = plan().await;
    cycle
        .sql(
            "ALTER SEQUENCE device42_ipaddress_id_seq MAXVALUE 10;
             SELECT setval('device42_ipaddress_id_seq', 10)",
        )
        .await;
    cycle.survives("SELECT setval('device42_ipaddress_id_seq', 5)").await;
}

#[tokio::test]
async fn a_sequence_that_came_later_stays_as_it_is() {
    let cycle = plan().await;
    let before = cycle.contents().await;
    let id = cycle.backup().await;
    cycle
        .sql(
            "CREATE SEQUENCE later; SELECT nextval('later');
             ALTER TABLE vrf ALTER description SET DEFAULT nextval('later')::text;
             DELETE FROM device42_ipaddress",
        )
        .await;
    cycle.restore(&id).await;
    let mut after = cycle.contents().await;
    assert_eq!(after.remove("sequence later").as_deref(), Some("2"));
    assert_same(&after, &before);
}

#[tokio::test]
async fn a_site_whose_columns_share_a_sequence_gets_it_back() {
    let cycle = site(
        "CREATE SEQUENCE shared START 100;
         ALTER TABLE vrf ADD number bigint NOT NULL DEFAULT nextval('shared');
         ALTER TABLE vpc_prefix_association ADD number bigint NOT NULL DEFAULT nextval('shared')",
    )
    .await;
    cycle
        .survives(
            "INSERT INTO vrf (vrf_id) VALUES ('x'), ('y'); DELETE FROM vpc_prefix_association",
        )
        .await;
}

#[tokio::test]
async fn a_restore_of_one_dataset_leaves_the_sequences_of_others_where_they_are() {
    let cycle = site("ALTER TABLE vrf ADD number serial").await;
    let id = cycle.backup().await;
    cycle.sql(&format!("INSERT INTO vrf (vrf_id) VALUES ('later'); {ADD}")).await;
    let selection = Selection { datasets: vec!["public_ips".into()], scope: None };
    let options = RestoreOptions { selection, ..RestoreOptions::default() };
    let next =
        async |sequence: &str| cycle.database.value(&format!("SELECT nextval('{sequence}')")).await;
    let later: u32 = next("vrf_number_seq").await.parse().expect("a number");
    cycle.restore_with(&id, &options).await;
    assert_eq!(next("vrf_number_seq").await, (later + 1).to_string());
    assert_eq!(next("device42_ipaddress_id_seq").await, "4");
}

#[tokio::test]
async fn a_restore_that_is_refused_leaves_the_sequences_where_they_are() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle.sql(ADD).await;
    let outside = "CREATE TABLE note (
            address int REFERENCES device42_ipaddress, id int PRIMARY KEY);
        INSERT INTO note SELECT max(id), 1 FROM device42_ipaddress";
    cycle.sql(outside).await;
    cycle.refuses(&id, &RestoreOptions::default()).await;
}
