//! One row through all backups.

use ipam_rewind::engine::{
    BackupRequest, EngineError, History, Kind, RowVersion, Run, VersionKind,
};
use ipam_rewind::model::BackupId;

use crate::support::cycle::Cycle;
use crate::support::program::Program;
use crate::support::{database, sample_database};

async fn history(cycle: &Cycle, table: &str, key: &str) -> History {
    cycle.engine.history(table, key).await.expect("a history")
}

/// What happened, from which backup to which, newest first.
fn spans(history: &History) -> Vec<(VersionKind, &BackupId, &BackupId)> {
    history.versions.iter().map(|v| (v.kind, &v.first.backup_id, &v.last.backup_id)).collect()
}

/// The cells of a version as text.
fn cells(version: &RowVersion) -> Vec<String> {
    let word = |value: &Option<String>| value.clone().unwrap_or("null".into());
    let cell = |cell: &ipam_rewind::engine::CellChange| {
        format!("{}: {} → {}", cell.column, word(&cell.old), word(&cell.new))
    };
    version.cells.iter().map(cell).collect()
}

#[tokio::test]
async fn a_row_is_followed_through_its_life_and_its_return() {
    let cycle = Cycle::new(database().await).await;
    let mut ids = vec![cycle.backup().await];
    for step in [
        "INSERT INTO vrf VALUES ('lab', 'first', '{}', true, false)",
        "UPDATE vrf SET description = 'second' WHERE vrf_id = 'lab'",
        "INSERT INTO vrf VALUES ('other', 'beside', '{}', true, false)",
        "DELETE FROM vrf WHERE vrf_id = 'lab'",
        "DELETE FROM vrf WHERE vrf_id = 'other'",
        "INSERT INTO vrf VALUES ('lab', NULL, '{}', false, false)",
    ] {
        cycle.sql(step).await;
        ids.push(cycle.backup().await);
    }
    let found = history(&cycle, "vrf", "lab").await;
    let expected = [
        (VersionKind::Added, &ids[6], &ids[6]),
        (VersionKind::Removed, &ids[4], &ids[5]),
        (VersionKind::Changed, &ids[2], &ids[3]),
        (VersionKind::Added, &ids[1], &ids[1]),
    ];
    assert_eq!(spans(&found), expected);
    let [again, gone, second, first] = &found.versions[..] else { panic!("four versions") };
    assert_eq!(cells(second), ["description: first → second"]);
    assert_eq!((second.backups, second.dataset.clone(), second.touched), (2, "vrfs".into(), false));
    let told = ["vrf_id: null → lab", "description: null → first", "tags: null → {}"];
    assert_eq!(cells(first)[..3], told);
    assert_eq!(cells(gone)[..2], ["vrf_id: lab → null", "description: second → null"]);
    assert_eq!(cells(again)[..2], ["vrf_id: null → lab", "tags: null → {}"]);
    assert_eq!(found.backups, 7);

    let preset = history(&cycle, "vrf", "prod-vrf").await;
    assert_eq!(spans(&preset), [(VersionKind::Unchanged, &ids[0], &ids[6])]);
    assert!(history(&cycle, "vrf", "nobody").await.versions.is_empty());
}

#[tokio::test]
async fn a_row_that_moves_between_datasets_is_one_row() {
    let cycle = Cycle::new(sample_database().await).await;
    let query =
        "SELECT min(prefix_id) FROM prefix p WHERE vrf_id = 'prod-vrf' AND source = 'manual'
                 AND NOT EXISTS (SELECT FROM prefix c WHERE c.parent_prefix_id = p.prefix_id)";
    let key = cycle.database.value(query).await;
    cycle.backup().await;
    let set = "vrf_id = 'public-vrf', parent_prefix_id = NULL, routable = true";
    cycle.sql(&format!("UPDATE prefix SET {set} WHERE prefix_id = '{key}'")).await;
    let moved = cycle.backup().await;
    cycle.sql(&format!("DELETE FROM prefix WHERE prefix_id = '{key}'")).await;
    cycle.backup().await;

    let found = history(&cycle, "prefix", &key).await;
    let [gone, now, then] = &found.versions[..] else { panic!("{found:?}") };
    assert_eq!((then.kind, then.dataset.clone()), (VersionKind::Unchanged, "prefixes".into()));
    assert_eq!((now.kind, now.dataset.clone()), (VersionKind::Changed, "public_ips".into()));
    assert_eq!(now.first.backup_id, moved);
    assert!(cells(now).contains(&"vrf_id: prod-vrf → public-vrf".to_owned()), "{:?}", cells(now));
    assert_eq!((gone.kind, gone.dataset.clone()), (VersionKind::Removed, "public_ips".into()));
}

#[tokio::test]
async fn a_touch_is_told_from_a_change() {
    let cycle = Cycle::new(sample_database().await).await;
    cycle.backup().await;
    let key = cycle.database.value("SELECT min(prefix_id) FROM prefix WHERE source = 'vpc'").await;
    // Sets updated_at, by the trigger.
    cycle.sql(&format!("UPDATE prefix SET tags = tags WHERE prefix_id = '{key}'")).await;
    cycle.backup().await;
    let found = history(&cycle, "prefix", &key).await;
    let now = &found.versions[0];
    assert_eq!((now.kind, now.touched, now.cells.len()), (VersionKind::Changed, true, 1));
    assert!(!found.versions[1].touched);
}

#[tokio::test]
async fn columns_and_tables_may_come_and_go_between_backups() {
    let cycle = Cycle::new(database().await).await;
    cycle
        .sql("INSERT INTO device42_ipaddress (id, ip_address, label) VALUES (7, '192.0.2.1', 'a')")
        .await;
    cycle.backup().await;
    cycle.sql("ALTER TABLE vrf ADD owner text DEFAULT 'noc', ADD note text").await;
    cycle.backup().await;
    cycle.sql("DROP TABLE device42_ipaddress; ALTER TABLE vrf DROP owner").await;
    let without = BackupRequest { allow_missing_tables: true, ..BackupRequest::default() };
    cycle.engine.backup(without, &Run::new()).await.expect("told that the table is gone");

    let vrf = history(&cycle, "vrf", "prod-vrf").await;
    let told: Vec<_> = vrf.versions.iter().take(2).map(cells).collect();
    assert_eq!(told, [["owner: noc → null"], ["owner: null → noc"]]);
    assert_eq!(vrf.versions.len(), 3);
    let device = history(&cycle, "device42_ipaddress", "7").await;
    let told: Vec<_> = device.versions.iter().map(|v| (v.kind, v.backups)).collect();
    assert_eq!(told, [(VersionKind::Removed, 1), (VersionKind::Unchanged, 2)]);
}

#[tokio::test]
async fn a_key_with_odd_characters_is_found_as_diff_shows_it() {
    let cycle = Cycle::new(database().await).await;
    let empty = cycle.backup().await;
    cycle.sql(r"INSERT INTO vrf VALUES (E'odd\t, \\N', '', '{}', true, false)").await;
    let id = cycle.backup().await;
    let [from, to] = [empty, id].map(ipam_rewind::engine::Point::Backup);
    let run = ipam_rewind::engine::Run::new();
    let diff = cycle.engine.diff(&from, &to, 1, &run).await.expect("a diff");
    let found = history(&cycle, "vrf", &diff.changes[0].key).await;
    assert_eq!(found.versions[0].cells, diff.changes[0].cells);
}

#[tokio::test]
async fn what_is_no_table_and_what_is_no_key_is_refused() {
    let cycle = Cycle::new(database().await).await;
    let refused = async |table: &str, key: &str| -> EngineError {
        let error = cycle.engine.history(table, key).await.expect_err("a refusal");
        assert_eq!(error.kind(), Kind::MalformedRequest);
        error
    };
    // Before there is a backup, no key can be told from none.
    assert!(history(&cycle, "vpc", "no uuid").await.versions.is_empty());
    cycle.backup().await;
    assert_eq!(
        refused("idempotency_record", "1").await.to_string(),
        "no table is named \"idempotency_record\"; they are vrf, vpc, prefix, \
         vpc_prefix_association, device42_ipaddress"
    );
    assert_eq!(
        refused("vpc", "no uuid").await.to_string(),
        "not a key of vpc: \"no uuid\" (its key is vpc_id uuid)"
    );
    refused("device42_ipaddress", "seven").await;
}

#[tokio::test]
async fn damage_on_the_way_is_named() {
    let database = sample_database().await;
    let program = Program::on(&database);
    program.backup();
    for pack in crate::store::samples::files(program.store(), "packs") {
        // All of it: where in a pack a chunk lies differs from run to run.
        let length = pack.metadata().expect("a pack").len();
        std::fs::write(&pack, vec![0; usize::try_from(length).expect("small")]).expect("damaged");
    }
    let ended = program.run(&["history", "vrf", "prod-vrf", "--json"]);
    assert_eq!(ended.code, 4, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("damaged in pack"), "{}", ended.out);
}

#[tokio::test]
async fn the_verb_prints_a_table_or_the_body() {
    let database = database().await;
    let program = Program::on(&database);
    let ids = [program.backup(), program.backup()];
    database.sql("UPDATE vrf SET description = E'new\\nlines' WHERE vrf_id = 'prod-vrf'").await;
    let newest = program.backup();
    let body = program.json(&["history", "vrf", "prod-vrf"]);
    let keys: Vec<_> = body.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["status", "table", "key", "backups", "versions"]);
    let keys: Vec<_> = body["versions"][0].as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["kind", "touched", "dataset", "first", "last", "backups", "cells"]);
    assert_eq!(body["versions"][0]["kind"], "changed");
    assert_eq!(body["versions"][1]["first"]["backup_id"], ids[0]);

    let said = program.ok(&["history", "vrf", "prod-vrf"]);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines[0], "vrf prod-vrf in 3 backups, newest first:");
    assert!(lines[3].contains(&newest) && lines[3].contains("new\\nlines"), "{said}");
    assert!(lines[4].contains(&ids[1]) && lines[4].contains("there already"), "{said}");

    let said = program.ok(&["history", "vrf", "nobody"]);
    assert_eq!(said, "No backup has a row vrf nobody (3 backups looked at).\n");
    assert_eq!(program.run(&["history", "vrfs", "prod-vrf"]).code, 2);
}
