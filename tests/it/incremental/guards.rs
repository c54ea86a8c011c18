//! What breaks the rule that a row version older than the base is in the base, on one server.

use ipam_rewind::engine::Engine;
use ipam_rewind::model::Profile;

use super::{backup, how, reads, reads_all, reads_whole};
use crate::restore_cases::{plan, site};
use crate::support::cycle::Cycle;

#[tokio::test]
async fn truncated_table_is_read_as_a_whole() {
    let cycle = plan().await;
    backup(&cycle).await;
    cycle.sql("TRUNCATE device42_ipaddress").await;
    reads_whole(&cycle, "device42_ipaddress", "its files are others").await;
    // As many rows as before.
    cycle
        .sql(
            "BEGIN; TRUNCATE device42_ipaddress; INSERT INTO device42_ipaddress (ip_address, label)
        VALUES ('203.0.113.9', 'a'), ('203.0.113.8', 'b'), ('203.0.113.7', 'c'); COMMIT",
        )
        .await;
    reads_whole(&cycle, "device42_ipaddress", "its files are others").await;
}

#[tokio::test]
async fn rewritten_table_is_read_as_a_whole() {
    for rewrite in [
        "VACUUM FULL vrf",
        "CLUSTER vrf USING vrf_pkey",
        "ALTER TABLE vrf ALTER description TYPE varchar USING upper(description)",
    ] {
        let cycle = plan().await;
        backup(&cycle).await;
        cycle.sql(rewrite).await;
        let files = if rewrite.starts_with("ALTER") { "" } else { "its files are others" };
        reads_whole(&cycle, "vrf", files).await;
        reads(&cycle, 0).await;
    }
}

#[tokio::test]
async fn table_that_takes_the_name_of_another_is_read_as_a_whole() {
    let cycle = plan().await;
    cycle
        .sql(
            "CREATE TABLE device42_other (LIKE device42_ipaddress INCLUDING ALL);
        INSERT INTO device42_other SELECT * FROM device42_ipaddress;
        UPDATE device42_other SET label = 'other'",
        )
        .await;
    backup(&cycle).await;
    cycle
        .sql(
            "BEGIN; ALTER TABLE device42_ipaddress RENAME TO device42_old;
        ALTER TABLE device42_other RENAME TO device42_ipaddress; COMMIT",
        )
        .await;
    reads_whole(&cycle, "device42_ipaddress", "its files are others").await;
    cycle
        .sql(
            "BEGIN; ALTER TABLE device42_ipaddress RENAME TO device42_other;
        ALTER TABLE device42_old RENAME TO device42_ipaddress; COMMIT",
        )
        .await;
    reads_whole(&cycle, "device42_ipaddress", "its files are others").await;
}

#[tokio::test]
async fn partition_that_is_attached_or_detached_is_read() {
    let cycle = site("ALTER TABLE device42_ipaddress RENAME TO device42_one;
        CREATE TABLE device42_ipaddress (LIKE device42_one INCLUDING DEFAULTS, PRIMARY KEY (id)) PARTITION BY RANGE (id);
        ALTER TABLE device42_ipaddress ATTACH PARTITION device42_one FOR VALUES FROM (1) TO (100);
        CREATE TABLE device42_two (LIKE device42_one INCLUDING ALL);
        INSERT INTO device42_two SELECT id + 100, device42_id, ip_address, label || '-two' FROM device42_one").await;
    backup(&cycle).await;
    reads(&cycle, 0).await;
    cycle.sql("UPDATE device42_ipaddress SET label = 'changed' WHERE id = 1").await;
    reads(&cycle, 1).await;
    cycle.sql("ALTER TABLE device42_ipaddress ATTACH PARTITION device42_two FOR VALUES FROM (100) TO (200)").await;
    reads_whole(&cycle, "device42_ipaddress", "its files are others").await;
    cycle.sql("UPDATE device42_ipaddress SET label = 'again' WHERE id > 1; DELETE FROM device42_ipaddress WHERE id = 1").await;
    reads(&cycle, 5).await;
    cycle.sql("ALTER TABLE device42_ipaddress DETACH PARTITION device42_two").await;
    reads_whole(&cycle, "device42_ipaddress", "its files are others").await;
}

#[tokio::test]
async fn value_that_changes_without_a_row_version_makes_its_table_read_as_a_whole() {
    let prepare = "
        CREATE TYPE note AS (author text, body text);
        CREATE TYPE state AS ENUM ('on', 'off');
        CREATE DOMAIN short AS varchar(100);
        ALTER TABLE vrf ADD state state, ADD states state[], ADD note note, ADD short short, ADD at timestamp DEFAULT '2020-01-01 12:00';
        UPDATE vrf SET state = 'on', states = '{on,off}', note = ('me', 'text'), short = 'abc'";
    for alter in [
        "ALTER TYPE state RENAME VALUE 'on' TO 'up'",
        "ALTER TYPE note ADD ATTRIBUTE more text",
        "ALTER TYPE note RENAME ATTRIBUTE body TO words",
        "ALTER TABLE vrf ALTER description TYPE varchar",
        "ALTER TABLE vrf ADD extra text NOT NULL DEFAULT 'given'",
        "ALTER TABLE vrf DROP short; ALTER TABLE vrf ADD short short DEFAULT 'again'",
        "SET timezone = 'UTC'; ALTER TABLE vrf ALTER at TYPE timestamptz",
    ] {
        let cycle = site(prepare).await;
        backup(&cycle).await;
        reads(&cycle, 0).await;
        cycle.sql(alter).await;
        reads_whole(&cycle, "vrf", "").await;
        reads(&cycle, 0).await;
    }
}

#[tokio::test]
async fn fast_default_is_part_of_every_old_row() {
    let cycle = plan().await;
    backup(&cycle).await;
    cycle.sql("ALTER TABLE prefix ADD site text NOT NULL DEFAULT 'here'").await;
    reads_whole(&cycle, "prefix", "its columns").await;
    // A default for new rows changes no old one; that it is read again costs time alone.
    cycle.sql("ALTER TABLE prefix ALTER site SET DEFAULT 'there'; UPDATE prefix SET site = 'moved' WHERE prefix_id = 'six'").await;
    backup(&cycle).await;
    cycle
        .sql(
            "ALTER TABLE prefix DROP site; ALTER TABLE prefix ADD site text NOT NULL DEFAULT 'new'",
        )
        .await;
    reads_whole(&cycle, "prefix", "its columns").await;
}

#[tokio::test]
async fn column_whose_text_is_a_name_makes_its_table_read_as_a_whole() {
    let cycle =
        site("CREATE TABLE target (); ALTER TABLE vrf ADD points_at regclass[] DEFAULT '{target}'")
            .await;
    let before = backup(&cycle).await;
    cycle.sql("ALTER TABLE target RENAME TO goal").await;
    let after = reads_whole(&cycle, "vrf", "regclass").await;
    assert_ne!(before.part("vrfs"), after.part("vrfs"));
}

#[tokio::test]
async fn rows_written_as_a_replica_are_followed() {
    let cycle = plan().await;
    backup(&cycle).await;
    cycle
        .database
        .sql_as_superuser(
            "SET session_replication_role = replica;
        UPDATE vrf SET description = 'replicated' WHERE vrf_id = 'lab';
        DELETE FROM device42_ipaddress WHERE label = 'web'",
        )
        .await;
    reads(&cycle, 1).await;
}

#[tokio::test]
async fn frozen_rows_keep_the_transaction_that_wrote_them() {
    let cycle = plan().await;
    backup(&cycle).await;
    cycle.sql("UPDATE vrf SET description = 'frozen' WHERE vrf_id = 'lab'").await;
    cycle.sql("VACUUM (FREEZE) vrf").await;
    reads(&cycle, 1).await;
    cycle.sql("VACUUM (FREEZE) vrf, prefix").await;
    reads(&cycle, 0).await;
}

#[tokio::test]
async fn table_of_another_name_path_is_another_table() {
    let cycle = plan().await;
    backup(&cycle).await;
    cycle.sql("CREATE SCHEMA first; CREATE TABLE first.device42_ipaddress (LIKE public.device42_ipaddress INCLUDING ALL)").await;
    cycle.database.alter("SET search_path = first, public");
    reads_whole(&cycle, "device42_ipaddress", "its files are others").await;
}

#[tokio::test]
async fn condition_that_depends_on_more_than_the_row_makes_its_table_read_as_a_whole() {
    let cycle = plan().await;
    let mut text = std::fs::read_to_string("profiles/ipam.toml").expect("the profile");
    let rows = "rows = \"source = 'manual' AND vrf_id <> 'public-vrf'\"";
    assert!(text.contains(rows));
    text = text.replace(rows, "rows = \"source = 'manual' AND vrf_id <> 'public-vrf' AND true = EXISTS (SELECT FROM vrf)\"");
    text = text.replacen("name = \"ipam\"", "name = \"asks\"", 1);
    let profile = std::sync::Arc::new(Profile::from_toml(&text).expect("a profile"));
    let engine: Engine = cycle.engine.clone().with_profile(profile);
    let cycle = Cycle { engine, ..cycle };
    let first = cycle.backup().await;
    let second = cycle.backup().await;
    let (first, second) =
        (super::manifest(&cycle, &first).await, super::manifest(&cycle, &second).await);
    assert_eq!(first.parts, second.parts);
    let why = &how(&second).tables["prefix"];
    assert!(why.contains("depends on more than the row"), "{why}");
}

#[tokio::test]
async fn backup_of_another_database_of_the_server_is_no_base() {
    let (one, other) = (plan().await, plan().await);
    backup(&one).await;
    let engine = Engine::new(one.engine.store().clone(), Some(other.database.url.clone()));
    let both = Cycle { engine, database: other.database.clone(), ..one };
    reads_all(&both, "it was taken from another database").await;
}

#[tokio::test]
async fn damaged_base_is_read_again_and_healed() {
    let cycle = plan().await;
    let first = backup(&cycle).await;
    let folder = cycle.engine.store().folder().expect("a folder").join("packs");
    let mut packs = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("it lists").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                packs.push(entry.path());
            }
        }
    }
    for pack in packs {
        let mut bytes = std::fs::read(&pack).expect("it reads");
        let middle = bytes.len() / 3;
        bytes[middle] ^= 0xff;
        std::fs::write(&pack, bytes).expect("it writes");
    }
    let found = cycle.engine.verify(&[], &ipam_rewind::engine::Run::new()).await.expect("it ends");
    assert!(!found.is_intact());
    let healed = backup(&cycle).await;
    let why: Vec<_> = how(&healed).tables.values().chain(&how(&healed).reason).collect();
    assert!(why.iter().any(|why| why.contains("cannot be read")), "{why:?}");
    assert_eq!(healed.parts, first.parts);
    let found = cycle.engine.verify(&[], &ipam_rewind::engine::Run::new()).await.expect("it ends");
    assert!(found.is_intact(), "{found:?}");
}
