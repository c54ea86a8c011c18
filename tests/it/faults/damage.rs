//! Damage on the disk is found before it does harm, is named, and heals.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::running::{Changed, change, files, whole};
use crate::support::program::Program;
use crate::support::{TestDatabase, sample_database};

/// A store with two backups that have no row in common, and the pack that only the first needs.
struct Scene {
    database: TestDatabase,
    program: Program,
    first: String,
    second: String,
    pack: PathBuf,
}

fn packs(program: &Program) -> Vec<PathBuf> {
    let names = files(program.store());
    let packs = names.iter().filter(|(name, _)| name.starts_with("packs/"));
    packs.map(|(name, _)| program.store().join(name)).collect()
}

async fn scene() -> Scene {
    let database = sample_database().await;
    let program = Program::on(&database);
    let first = program.backup();
    let pack = packs(&program).pop().expect("one");
    database
        .sql("TRUNCATE vrf, vpc, device42_ipaddress CASCADE; INSERT INTO vrf VALUES ('other')")
        .await;
    let second = program.backup();
    Scene { database, program, first, second, pack }
}

fn length(path: &Path) -> usize {
    fs::read(path).expect("readable").len()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("readable");
    bytes[at] ^= 4;
    fs::write(path, bytes).expect("written");
}

/// A verification that finds damage: what it found of each backup.
fn damage(program: &Program) -> Vec<(String, bool, String)> {
    let ended = program.run(&["verify", "--json"]);
    assert_eq!(ended.code, 4, "{}{}", ended.out, ended.err);
    let report: Value = serde_json::from_str(&ended.out).expect("one document");
    assert_eq!(report["status"], "damaged");
    let backup = |backup: &Value| {
        let id = backup["backup_id"].as_str().expect("an id").to_owned();
        (id, backup["intact"] == true, backup["damage"].to_string())
    };
    let backups = report["backups"].as_array().expect("a list");
    backups.iter().map(backup).collect()
}

impl Scene {
    /// Verification and restore both find what is affected and name it, and the rest is untouched.
    async fn only_the_first_is_hurt(&self) {
        self.refuses_to_restore_the_first().await;
        let found = damage(&self.program);
        assert_eq!((&found[0].0, found[0].1), (&self.first, false), "{found:?}");
        assert_eq!((&found[1].0, found[1].1), (&self.second, true), "{found:?}");
        let named = format!("it affects {} (", self.first);
        assert!(found[0].2.contains(&named), "{found:?}");
        self.refuses_to_restore_the_first().await;
        self.restores_the_second().await;
    }

    async fn refuses_to_restore_the_first(&self) {
        let before = self.database.dump().await;
        let ended = self.program.run(&["restore", &self.first, "--yes"]);
        assert_eq!(ended.code, 4, "{}{}", ended.out, ended.err);
        let named = format!("it affects {} (", self.first);
        assert!(ended.err.contains(&named), "{}", ended.err);
        assert!(self.database.dump().await == before);
    }

    async fn restores_the_second(&self) {
        let wanted = self.database.dump().await;
        self.database.sql("UPDATE vrf SET description = 'oops'").await;
        self.program.ok(&["restore", &self.second, "--yes", "--no-safety-backup"]);
        assert!(self.database.dump().await == wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_a_pack_affects_only_who_needs_the_pack() {
    let scene = scene().await;
    flip(&scene.pack, length(&scene.pack) / 2);
    scene.only_the_first_is_hurt().await;
    let details = scene.program.json(&["details", &scene.first]);
    assert_eq!(details["backup_info"]["status"], "corrupt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_cut_short_affects_only_who_needs_it() {
    let scene = scene().await;
    let bytes = fs::read(&scene.pack).expect("readable");
    fs::write(&scene.pack, &bytes[..bytes.len() / 2]).expect("written");
    scene.only_the_first_is_hurt().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_pack_affects_only_who_needs_it() {
    let scene = scene().await;
    fs::remove_file(&scene.pack).expect("removed");
    scene.only_the_first_is_hurt().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packs_that_have_changed_places_are_named_and_lose_no_row() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let (first, wanted) = (program.backup(), database.dump().await);
    change(&database).await;
    let (second, changed) = (program.backup(), database.dump().await);
    let packs = packs(&program);
    let contents: Vec<_> = packs.iter().map(|pack| fs::read(pack).expect("there")).collect();
    fs::write(&packs[0], &contents[1]).expect("written");
    fs::write(&packs[1], &contents[0]).expect("written");
    let ended = program.run(&["verify"]);
    // No row is affected, so it is no alarm.
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    for pack in &packs[..2] {
        let name = pack.file_stem().expect("a name").to_str().expect("text");
        assert!(ended.out.contains(name), "{}", ended.out);
    }
    // A chunk is known by its own hash, not by where it lies.
    for (id, rows) in [(&first, &wanted), (&second, &changed)] {
        program.ok(&["restore", id, "--yes", "--no-safety-backup"]);
        assert!(database.dump().await == *rows);
    }
    program.ok(&["cleanup"]);
    let report = program.json(&["verify"]);
    assert_eq!(report["elsewhere"], Value::Array(Vec::new()), "repaired");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_backup_heals_what_the_live_rows_still_have() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let first = program.backup();
    let wanted = database.dump().await;
    let pack = packs(&program).pop().expect("one");
    for at in [100, length(&pack) / 3, length(&pack) / 2] {
        flip(&pack, at);
    }
    assert!(!damage(&program)[0].1);
    program.backup();
    // What is needed is whole again; the damaged copies lie about until the next cleanup.
    program.ok(&["verify", &first]);
    program.ok(&["cleanup"]);
    assert_eq!(whole(&program).len(), 2);
    change(&database).await;
    program.ok(&["restore", &first, "--yes"]);
    assert!(database.dump().await == wanted);
    let details = program.json(&["details", &first]);
    assert_eq!(details["backup_info"]["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_manifest_hides_no_other_backup_and_can_be_deleted() {
    let scene = scene().await;
    let program = &scene.program;
    let manifest = program.store().join(&scene.first).join("manifest.json");
    let text = fs::read(&manifest).expect("readable");
    let mut flipped = text.clone();
    flipped[text.len() / 2] ^= 1;
    for damaged in [&flipped[..], &text[..text.len() / 2], b""] {
        fs::write(&manifest, damaged).expect("written");
        assert_eq!(program.ids(), [scene.second.as_str()]);
        let listed = program.run(&["list"]);
        assert!(listed.err.contains(&scene.first), "{}", listed.err);
        let found = damage(program);
        assert_eq!((&found[0].0, found[0].1), (&scene.first, false));
        let before = scene.database.dump().await;
        let ended = program.run(&["restore", &scene.first, "--yes"]);
        assert_eq!(ended.code, 4, "{}", ended.err);
        assert!(scene.database.dump().await == before);
        scene.restores_the_second().await;
    }
    program.ok(&["delete", &scene.first, "--yes"]);
    assert_eq!(whole(program), [scene.second.as_str()]);
    program.ok(&["cleanup"]);
    assert!(!scene.pack.exists(), "nothing needs it any more");
    whole(program);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_or_damaged_state_does_not_keep_anybody_from_restoring() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let id = program.backup();
    let wanted = database.dump().await;
    program.ok(&["verify", &id]);
    let state = program.store().join(&id).join("state.json");
    fs::remove_file(&state).expect("it was verified");
    change(&database).await;
    program.ok(&["restore", &id, "--yes"]);
    assert!(database.dump().await == wanted);

    // It may have said that the backup is pinned, so it is not written over.
    fs::write(&state, "{\"pinned\": tr").expect("written");
    change(&database).await;
    assert!(program.ok(&["restore", &id, "--yes"]).contains("Note: the store could not note"));
    assert!(database.dump().await == wanted);
    assert!(program.run(&["list"]).err.contains(&id));
    program.ok(&["cleanup", "0"]);
    assert!(state.exists(), "a backup that may be pinned stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_its_index_works_as_before() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let first = program.backup();
    let wanted = database.dump().await;
    lose_the_index(&program);
    whole(&program);
    let second = program.json(&["backup"]);
    assert_eq!(second["backup_info"]["added_size"], 0);
    lose_the_index(&program);
    change(&database).await;
    program.ok(&["restore", &first, "--yes"]);
    assert!(database.dump().await == wanted);
    lose_the_index(&program);
    program.ok(&["cleanup", "1"]);
    lose_the_index(&program);
    // The second, and the safety backup.
    assert_eq!(whole(&program).len(), 2);
    program.ok(&["diff", &program.ids()[0]]);
}

fn lose_the_index(program: &Program) {
    // Not every verb writes one.
    let _ = fs::remove_dir_all(program.store().join("index"));
}

#[tokio::test]
async fn a_restore_of_a_backup_whose_state_is_damaged_succeeds_and_says_so() {
    let changed = Changed::sample().await;
    let (program, id) = (&changed.program, changed.target.as_str());
    program.ok(&["annotate", id, "--pin"]);
    fs::write(program.store().join(id).join("state.json"), "{").expect("written");
    let list = program.run(&["list"]);
    assert!(!list.out.contains("no backups yet"), "{}", list.out);
    assert!(list.err.contains(&format!("the state of backup {id} is damaged")), "{}", list.err);

    let restored = program.json(&["restore", id, "--yes"]);
    assert_eq!(
        (&restored["status"], &restored["restore_results"]["proven"]),
        (&"success".into(), &true.into())
    );
    assert_eq!(
        restored["notes"][0],
        format!("the store could not note that backup {id} was restored")
    );
    changed.is_restored().await;

    let found = damage(program);
    assert_eq!((found[0].0.as_str(), found[0].1), (id, false), "{found:?}");
    assert!(
        found[0].2.contains("state") && found[0].2.contains("rows are not affected"),
        "{found:?}"
    );
    assert_eq!(program.run(&["annotate", id, "--description", "two\nlines"]).code, 2);
    assert!(!damage(program)[0].1, "what is refused changes nothing");
    program.ok(&["annotate", id, "--description", "Known again"]);
    assert_eq!(whole(program).len(), 2);
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_does_not_hide_the_other_backups() {
    let Scene { program, first, second, .. } = scene().await;
    flip(&program.store().join(&first).join("manifest.json"), 100);
    let named = format!("the manifest of backup {first} is damaged");
    for verb in [&["list"][..], &["stats"], &["history", "vrf", "other"]] {
        let ended = program.run(&[verb, &["--json"]].concat());
        assert_eq!(ended.code, 0, "{verb:?}: {}", ended.err);
        assert!(ended.err.contains(&named), "{verb:?}: {}", ended.err);
        let body: Value = serde_json::from_str(&ended.out).expect("one document");
        assert!(
            body["unreadable"][0].as_str().is_some_and(|text| text.starts_with(&named)),
            "{body}"
        );
        assert!(ended.out.contains(&second), "{verb:?}: {}", ended.out);
    }
}
