//! Verification beside everything else, in processes of their own: no false alarm, whoever does what.

use std::fs;
use std::sync::Arc;

use ipam_rewind::engine::{Engine, Run};
use ipam_rewind::store::{LockKind, Store};
use object_store::memory::InMemory;
use serde_json::Value;

use super::running::{Running, change, files, until};
use crate::store::faults::Faulty;
use crate::store::samples::{back_up, id, rows};
use crate::support::program::Program;
use crate::support::sample_database;

/// What a verification found wrong that affects no backup.
fn harmless(program: &Program) -> Vec<Value> {
    let report = program.json(&["verify"]);
    assert_eq!(report["status"], "success", "{report}");
    report["elsewhere"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn change_backup_cleanup_verify_over_and_over_finds_nothing() {
    let database = sample_database().await;
    let program = Program::on(&database);
    for round in 0..10 {
        database
            .sql(&format!(
                "UPDATE prefix SET tags = jsonb_build_object('round', {round})
                 WHERE ctid IN (SELECT ctid FROM prefix ORDER BY md5(prefix_id || {round}) LIMIT 60);
                 DELETE FROM device42_ipaddress WHERE id % 97 = {round};
                 INSERT INTO vrf (vrf_id) VALUES ('round {round}')"
            ))
            .await;
        program.backup();
        program.ok(&["cleanup", "3"]);
        assert_eq!(harmless(&program), Vec::<Value>::new(), "round {round}");
        let newest = program.ids().remove(0);
        assert_eq!(program.json(&["verify", &newest])["status"], "success");
    }
    assert_eq!(program.ids().len(), 3);
    assert!(program.ok(&["verify"]).contains("No damage found."));
}

#[tokio::test(flavor = "multi_thread")]
async fn verification_beside_backup_and_cleanup_in_other_processes_never_alarms() {
    let database = sample_database().await;
    let program = Program::on(&database);
    for _ in 0..3 {
        program.backup();
    }
    let mut verified = 0;
    for round in 0..4 {
        let write = format!("UPDATE vrf SET description = 'round {round}'");
        database.sql(&write).await;
        let newest = program.ids().remove(0);
        let others = [
            Running::start(&program, &["backup"]),
            Running::start(&program, &["verify", "--json"]),
            Running::start(&program, &["cleanup", "2"]),
            Running::start(&program, &["verify", "--json"]),
            Running::start(&program, &["verify", &newest, "--json"]),
        ];
        for (place, other) in others.into_iter().enumerate() {
            let ended = other.ended().await;
            // Somebody who sweeps all the time may keep a verification waiting: that is said.
            let busy = ended.code == 6;
            assert!(ended.code == 0 || busy, "{place}: {}{}", ended.out, ended.err);
            if place % 2 == 1 && !busy {
                let report: Value = serde_json::from_str(&ended.out).expect("one document");
                assert_eq!(report["elsewhere"], Value::Array(Vec::new()), "{report}");
                verified += 1;
            }
        }
    }
    assert!(verified > 0);
    assert_eq!(harmless(&program), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_that_is_deleted_meanwhile_is_said_and_is_no_error() {
    let objects = Faulty::over(Arc::new(InMemory::new()));
    let store = Store::over(objects.clone(), None, LockKind::LEASE).await.expect("a store");
    for n in 1..=3 {
        back_up(&store, &id(n), &rows(500, &format!("rows {n}"))).await.expect("made");
    }
    let engine = Engine::new(store.clone(), None);
    let held = objects.hold_up_reading().await;
    let run = Run::new();
    let mut seen = run.watch();
    let deleting = async {
        until("a verification", async || {
            seen.borrow_and_update().phase == ipam_rewind::engine::Phase::Verifying
        })
        .await;
        store.unlink(&id(2)).await.expect("unlinked");
        drop(held);
    };
    let (report, ()) = tokio::join!(engine.verify(&[], &run), deleting);
    let report = report.expect("no error");
    assert!(report.is_intact() && report.elsewhere.is_empty(), "{report:?}");
    assert_eq!(report.deleted, [id(2)]);
    assert!(report.notes[0].contains("was deleted meanwhile"), "{:?}", report.notes);
    let verified: Vec<_> = report.backups.iter().map(|backup| backup.backup_id.clone()).collect();
    assert_eq!(verified, [id(1), id(3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn harmless_finding_has_exit_code_zero_and_goes_with_the_next_cleanup() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let first = program.backup();
    change(&database).await;
    program.backup();
    let index = files(program.store()).into_iter().find(|(name, _)| name.starts_with("index/"));
    let index = program.store().join(index.expect("there is one").0);
    let bytes = fs::read(&index).expect("readable");
    fs::write(&index, &bytes[..bytes.len() / 2]).expect("written");

    let ended = program.run(&["verify"]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    let name = index.file_name().expect("a name").to_str().expect("text");
    for words in [name, "it affects no backup", "No backup is damaged.", "`cleanup` repairs them"] {
        assert!(ended.out.contains(words), "{words}: {}", ended.out);
    }
    assert_eq!(harmless(&program).len(), 1);
    let details = program.json(&["details", &first]);
    assert_eq!(details["backup_info"]["status"], "completed");
    program.ok(&["cleanup"]);
    assert_eq!(harmless(&program), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_pack_makes_few_sentences_that_name_file_backup_and_datasets() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let ids = [program.backup(), program.backup()];
    let pack = files(program.store()).into_iter().find(|(name, _)| name.starts_with("packs/"));
    let pack = pack.expect("there is one").0;
    change(&database).await;
    let third = program.backup();
    fs::remove_file(program.store().join(&pack)).expect("removed");
    let ended = program.run(&["verify", "--json"]);
    assert_eq!(ended.code, 4, "{}{}", ended.out, ended.err);
    let report: Value = serde_json::from_str(&ended.out).expect("one document");
    for backup in report["backups"].as_array().expect("a list") {
        let damage = backup["damage"].as_array().expect("a list");
        assert_eq!(damage.len(), 1, "{backup}");
        let said = damage[0].as_str().expect("text");
        for words in [pack.as_str(), "the file is lost", &ids[0], &ids[1], &third, "vrfs", "vpcs"] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
    assert_eq!(report["elsewhere"], Value::Array(Vec::new()));
    assert!(report["notes"][0].as_str().is_some_and(|note| note.contains("`backup`")), "{report}");
}
