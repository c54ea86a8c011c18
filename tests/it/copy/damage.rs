//! What is damaged in the other store is sent again.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{intact, listed, text};
use crate::store::samples::files;
use crate::support::program::Program;
use crate::support::{TestDatabase, database, sample_database};

/// A store with three backups and a copy of it.
struct Pair {
    program: Program,
    folder: tempfile::TempDir,
    ids: Vec<String>,
}

impl Pair {
    async fn of(database: &TestDatabase) -> Self {
        let (program, folder) = (Program::on(database), tempfile::tempdir().expect("a folder"));
        let mut ids = Vec::new();
        for round in 0..3 {
            let tags = format!("UPDATE prefix SET tags = '{{\"round\": \"{round}\"}}'");
            database.sql(&tags).await;
            ids.push(program.backup());
        }
        let pair = Self { program, folder, ids };
        pair.copy();
        pair
    }

    fn to(&self) -> PathBuf {
        self.folder.path().join("copy")
    }

    fn copy(&self) -> Value {
        self.program.json(&["copy", "--to", text(&self.to()), "--all"])
    }

    fn packs(&self) -> Vec<PathBuf> {
        files(&self.to(), "packs")
    }

    /// Everything is as it should be, and nothing is sent twice.
    fn is_whole(&self) {
        let to = self.to();
        let list = self.program.json(&["list", "--store", text(&to)]);
        let statuses = list["backups"].as_array().expect("a list").iter().map(|it| &it["status"]);
        assert!(statuses.into_iter().all(|status| status == "completed"), "{list}");
        assert_eq!(
            listed(&self.program, text(&to)),
            listed(&self.program, text(self.program.store()))
        );
        let again = self.copy();
        assert_eq!((&again["new_chunks"], &again["copied"]), (&0.into(), &Value::Array(vec![])));
        assert_eq!(again["present"].as_array().expect("a list").len(), self.ids.len());
        intact(&self.program, text(&to));
    }
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).expect("read");
    let end = bytes.len() * 3 / 4;
    bytes[60..end].iter_mut().step_by(8).for_each(|byte| *byte ^= 4);
    fs::write(path, bytes).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_a_verification_there_found_damaged_are_sent_again() {
    let pair = Pair::of(&sample_database().await).await;
    for path in pair.packs() {
        flip(&path);
    }
    // Nothing says so yet, and nothing is read again.
    assert_eq!(pair.copy()["new_chunks"], 0);
    let verified = pair.program.run(&["verify", "--store", text(&pair.to())]);
    assert_eq!(verified.code, 4, "{}", verified.out);
    let report = pair.copy();
    let repaired = report["repaired"].as_array().expect("a list");
    assert!(!repaired.is_empty() && report["new_chunks"].as_u64() > Some(0), "{report}");
    pair.program.ok(&["cleanup", "9", "--store", text(&pair.to())]);
    pair.is_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_known_as_damaged_whose_chunks_are_good_again_is_verified() {
    let pair = Pair::of(&sample_database().await).await;
    let path = pair.packs().remove(0);
    let bytes = fs::read(&path).expect("read");
    flip(&path);
    assert_eq!(pair.program.run(&["verify", "--store", text(&pair.to())]).code, 4);
    fs::write(&path, bytes).expect("written");
    pair.copy();
    pair.program.ok(&["cleanup", "9", "--store", text(&pair.to())]);
    pair.is_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_and_truncated_packs_are_noticed_and_sent_again() {
    let pair = Pair::of(&sample_database().await).await;
    let packs = pair.packs();
    assert!(packs.len() > 1, "{packs:?}");
    fs::remove_file(&packs[0]).expect("removed");
    let report = pair.copy();
    assert!(report["new_chunks"].as_u64() > Some(0), "{report}");
    pair.is_whole();

    let path = pair.packs().remove(0);
    let length = fs::metadata(&path).expect("there").len();
    let file = fs::OpenOptions::new().write(true).open(&path).expect("opened");
    file.set_len(length / 3).expect("cut");
    let report = pair.copy();
    assert!(report["new_chunks"].as_u64() > Some(0), "{report}");
    pair.program.ok(&["cleanup", "9", "--store", text(&pair.to())]);
    pair.is_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_manifest_and_state_there_are_written_again() {
    let pair = Pair::of(&sample_database().await).await;
    pair.program.ok(&["annotate", &pair.ids[0], "--pin"]);
    pair.copy();
    for (place, name) in ["manifest.json", "state.json"].into_iter().enumerate() {
        let path = pair.to().join(&pair.ids[0]).join(name);
        let mut bytes = fs::read(&path).expect("there");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).expect("written");
        let report = pair.copy();
        assert_eq!(report["repaired"], serde_json::json!([pair.ids[0]]), "{place}: {report}");
        pair.is_whole();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn store_whose_packs_are_all_lost_is_named_and_left_alone() {
    let pair = Pair::of(&sample_database().await).await;
    fs::rename(pair.to().join("packs"), pair.folder.path().join("packs")).expect("renamed");
    let ended = pair.program.run(&["copy", "--to", text(&pair.to()), "--all"]);
    assert_eq!(ended.code, 4, "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("the other store"), "{}", ended.err);
    fs::rename(pair.folder.path().join("packs"), pair.to().join("packs")).expect("renamed");
    pair.is_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn packs_that_an_interrupted_copy_left_are_read_back_before_a_backup_relies_on_them() {
    let pair = Pair::of(&sample_database().await).await;
    // As if it had ended before it wrote an index object or published anything.
    for id in &pair.ids {
        fs::remove_dir_all(pair.to().join(id)).expect("removed");
    }
    fs::remove_dir_all(pair.to().join("index")).expect("removed");
    flip(&pair.packs()[0]);
    let report = pair.copy();
    assert_eq!(report["copied"], serde_json::json!(pair.ids));
    assert!(report["new_chunks"].as_u64() > Some(0), "{report}");
    assert!(!files(&pair.to(), "index").is_empty());
    pair.program.ok(&["cleanup", "9", "--store", text(&pair.to())]);
    pair.is_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn pack_that_cannot_be_read_here_is_named_and_holds_up_no_other_backup() {
    let database = database().await;
    let program = Program::on(&database);
    database.sql("INSERT INTO vrf (vrf_id, description) VALUES ('red', 'x')").await;
    let bad = program.backup();
    let packs = files(program.store(), "packs");
    database.sql("UPDATE vrf SET description = 'y'").await;
    let good = program.backup();
    // A folder in the place of the pack; what the second backup shares with the first is there twice.
    let other = tempfile::tempdir().expect("a folder");
    let to = other.path().join("copy");
    program.ok(&["copy", "--to", text(&to), &good]);
    for path in &packs {
        fs::remove_file(path).expect("removed");
        fs::create_dir(path).expect("made");
    }
    let ended = program.run(&["copy", "--to", text(&to), "--all", "--json"]);
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    let report: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(report["refused"][0]["backup_id"], bad.as_str(), "{report}");
    assert_eq!(report["present"], serde_json::json!([good]), "{report}");
    intact(&program, text(&to));
}
