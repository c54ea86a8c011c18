//! The schema refuses what the application's own refuses, and runs without a superuser.

use crate::support::{TestDatabase, database};

const ROOT: &str = "INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable) \
     VALUES ('root', 'prod-vrf', '10.0.0.0/8', 'manual', false)";

async fn with_root() -> TestDatabase {
    let database = database().await;
    database.sql(ROOT).await;
    database
}

async fn refusal(database: &TestDatabase, statement: &str) -> String {
    let error = database.try_sql(statement).await.expect_err("the schema must refuse this");
    error.into_database_error().expect("the server refused").message().to_owned()
}

fn child(id: &str, cidr: &str, routable: bool, parent: &str) -> String {
    format!(
        "INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable, parent_prefix_id) \
         VALUES ('{id}', 'prod-vrf', '{cidr}', 'manual', {routable}, '{parent}')"
    )
}

#[tokio::test]
async fn the_owner_is_no_superuser_and_finds_the_preset_vrfs() {
    let database = database().await;
    let superuser = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user";
    assert_eq!(database.value(superuser).await, "false");
    let vrfs = "SELECT string_agg(vrf_id, ',' ORDER BY vrf_id) FROM vrf";
    assert_eq!(database.value(vrfs).await, "prod-vrf,public-vrf");
}

#[tokio::test]
async fn a_parent_must_exist_and_contain_its_child() {
    let database = with_root().await;
    let missing = refusal(&database, &child("a", "10.1.0.0/16", false, "nowhere")).await;
    assert_eq!(missing, "parent prefix nowhere does not exist");
    let outside = refusal(&database, &child("a", "11.0.0.0/16", false, "root")).await;
    assert_eq!(outside, "parent 10.0.0.0/8 does not contain 11.0.0.0/16");
    database.sql(&child("a", "10.1.0.0/16", false, "root")).await;
    let moved = refusal(&database, "UPDATE prefix SET cidr = '11.1.0.0/16' WHERE prefix_id = 'a'");
    assert_eq!(moved.await, "parent 10.0.0.0/8 does not contain 11.1.0.0/16");
    let own = "UPDATE prefix SET parent_prefix_id = 'root' WHERE prefix_id = 'root'";
    assert_eq!(refusal(&database, own).await, "parent 10.0.0.0/8 does not contain 10.0.0.0/8");
}

#[tokio::test]
async fn a_routable_child_under_a_non_routable_parent_is_refused() {
    let database = with_root().await;
    let refused = refusal(&database, &child("a", "10.1.0.0/16", true, "root")).await;
    assert_eq!(refused, "routable prefix 10.1.0.0/16 under the non-routable parent root");
    database.sql(&child("a", "10.1.0.0/16", false, "root")).await;
    let flipped = "UPDATE prefix SET routable = true WHERE prefix_id = 'a'";
    assert!(refusal(&database, flipped).await.starts_with("routable prefix"));
}

#[tokio::test]
async fn the_indentation_level_is_the_number_of_ancestors_whatever_was_given() {
    let database = with_root().await;
    database.sql(&child("a", "10.1.0.0/16", false, "root")).await;
    database.sql(&child("b", "10.1.1.0/24", false, "a")).await;
    let level = "SELECT indentation_level FROM prefix WHERE prefix_id = 'b'";
    assert_eq!(database.value(level).await, "2");
    database.sql("UPDATE prefix SET parent_prefix_id = 'root' WHERE prefix_id = 'b'").await;
    assert_eq!(database.value(level).await, "1");
    let path = "SELECT path FROM prefix_tree WHERE prefix_id = 'b'";
    assert_eq!(database.value(path).await, "{10.0.0.0/8,10.1.1.0/24}");
}

#[tokio::test]
async fn an_update_stamps_the_row() {
    let database = with_root().await;
    database.sql("UPDATE prefix SET updated_at = '2001-01-01'").await;
    let recent = "SELECT updated_at > now() - interval '1 hour' FROM prefix";
    assert_eq!(database.value(recent).await, "true");
    database
        .sql("INSERT INTO device42_ipaddress (ip_address, label) VALUES ('10.0.0.1', 'x')")
        .await;
    database.sql("UPDATE device42_ipaddress SET updated_at = '2001-01-01'").await;
    let recent = "SELECT updated_at > now() - interval '1 hour' FROM device42_ipaddress";
    assert_eq!(database.value(recent).await, "true");
}

#[tokio::test]
async fn a_prefix_has_a_vpc_exactly_if_it_was_synced() {
    let database = with_root().await;
    let refused = refusal(&database, "UPDATE prefix SET source = 'vpc'").await;
    assert!(refused.contains("prefix_source_vpc_check"), "{refused}");
}

#[tokio::test]
async fn a_cidr_is_unique_within_its_vrf() {
    let database = with_root().await;
    let twin = ROOT.replace("'root'", "'twin'");
    assert!(refusal(&database, &twin).await.contains("prefix_vrf_id_cidr_key"));
    database.sql(&twin.replace("prod-vrf", "public-vrf")).await;
}
