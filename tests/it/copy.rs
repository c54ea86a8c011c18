//! A second copy: backups travel between stores, whole or not at all.

mod damage;
mod places;
mod service;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::faults::running::Running;
use crate::store::samples::files;
use crate::support::clockwork::Clockwork;
use crate::support::program::Program;
use crate::support::s3::S3Server;
use crate::support::{database, sample_database};

/// Every row of a table, as one value.
const ROWS: &str = "SELECT md5(string_agg(p::text, '|' ORDER BY prefix_id)) FROM prefix p";

fn text(path: &Path) -> &str {
    path.to_str().expect("plain text")
}

/// The list of a store without what each store knows for itself.
fn listed(program: &Program, store: &str) -> Vec<Value> {
    let mut list = program.json(&["list", "--store", store]);
    let backups = list["backups"].as_array_mut().expect("a list");
    for backup in backups.iter_mut() {
        let backup = backup.as_object_mut().expect("an object");
        backup.remove("backup_path");
        backup.remove("added_size");
        backup.remove("verification");
        backup.remove("number");
        backup.remove("imported");
    }
    std::mem::take(backups)
}

fn intact(program: &Program, store: &str) {
    let report = program.json(&["verify", "--store", store]);
    assert_eq!(
        (&report["status"], &report["elsewhere"]),
        (&"success".into(), &Value::Array(vec![]))
    );
}

/// Bytes of the packs below a folder.
fn packs(store: &Path) -> BTreeMap<String, u64> {
    let size = |path: &Path| std::fs::metadata(path).expect("there").len();
    let all = files(store, "packs").into_iter();
    all.map(|path| (path.display().to_string(), size(&path))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_has_the_same_backups_and_is_a_store_to_restore_from_and_to_copy_back() {
    let database = sample_database().await;
    let (program, folder) = (Program::on(&database), crate::support::folder());
    let to = folder.path().join("copy");
    let to = text(&to);
    let first = program.backup();
    program.ok(&["annotate", &first, "--pin", "--label", "change=CHG1", "--description", "before"]);
    let before = database.value(ROWS).await;
    database.sql("UPDATE prefix SET tags = '{\"copy\": \"40\"}' WHERE prefix_id IN (SELECT prefix_id FROM prefix ORDER BY 1 LIMIT 40)").await;
    let second = program.backup();

    let report = program.json(&["copy", "--to", to, "--all"]);
    assert_eq!(report["copied"], serde_json::json!([first, second]));
    assert_eq!(listed(&program, to), listed(&program, text(program.store())));
    intact(&program, to);
    let sizes = |store: &Path| packs(store).values().sum::<u64>();
    let (from_size, to_size) = (sizes(program.store()), sizes(Path::new(to)));
    assert!(to_size < from_size + from_size / 20, "{to_size} of {from_size}");

    // Nothing new travels twice; what was said since goes along.
    let there = packs(Path::new(to));
    program.ok(&["annotate", &first, "--unpin", "--label", "change=CHG2"]);
    let report = program.json(&["copy", "--to", to, "--all"]);
    assert_eq!(report["present"], serde_json::json!([first, second]));
    assert_eq!((&report["new_chunks"], packs(Path::new(to))), (&0.into(), there));
    assert_eq!(listed(&program, to), listed(&program, text(program.store())));

    // One new backup costs what changed.
    database.sql("UPDATE prefix SET tags = '{\"copy\": \"1\"}' WHERE prefix_id IN (SELECT prefix_id FROM prefix ORDER BY 1 LIMIT 1)").await;
    let third = program.backup();
    let report = program.json(&["copy", "--to", to, &third]);
    assert_eq!(report["copied"], serde_json::json!([third]));
    assert!(report["new_chunks"].as_u64().is_some_and(|new| new > 0 && new < 40), "{report}");

    program.ok(&["restore", &first, "--store", to, "--yes"]);
    assert_eq!(database.value(ROWS).await, before);

    // Its safety backup goes back with the rest; what was lost here returns under its id.
    program.ok(&["delete", &second, "--yes"]);
    program.ok(&["copy", "--store", to, "--to", text(program.store()), "--all"]);
    assert_eq!(listed(&program, to), listed(&program, text(program.store())));
    intact(&program, text(program.store()));
    let other = folder.path().join("deliberate");
    program.ok(&["copy", "--store", to, "--to", text(&other), "--all", "--without-safety-backups"]);
    let ids: Vec<_> =
        listed(&program, text(&other)).iter().map(|it| it["backup_id"].clone()).collect();
    assert_eq!(ids, [third, second, first].map(Value::from));
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_into_a_bucket_and_back_is_the_same() {
    let database = sample_database().await;
    let (program, server) = (Program::on(&database), S3Server::start().await);
    let folder = crate::support::folder();
    let run = |arguments: &[&str]| {
        let mut command = program.command(arguments);
        command.envs(server.environment());
        let ended = crate::support::program::Ended::from(command.output().expect("it runs"));
        assert_eq!(ended.code, 0, "{arguments:?}: {}{}", ended.out, ended.err);
    };
    let id = program.backup();
    run(&["copy", "--to", "s3://bucket/second", &id]);
    run(&["verify", "--store", "s3://bucket/second"]);
    let back = folder.path().join("back");
    run(&["copy", "--store", "s3://bucket/second", "--to", text(&back), "--all"]);
    assert_eq!(listed(&program, text(&back)), listed(&program, text(program.store())));
    intact(&program, text(&back));
}

#[tokio::test(flavor = "multi_thread")]
async fn id_of_another_backup_is_refused_by_name_and_holds_up_no_other() {
    let (small, large) = (database().await, sample_database().await);
    let (one, other) = (Program::on(&large), Program::on(&small));
    let to = text(other.store());
    let taken = one.backup();
    // Another store gives the same id where its backup is of the same second.
    let given = Clockwork::new(database().await);
    let store = given.folder.path().join("store");
    let foreign = given.backup().await;
    one.ok(&["copy", "--store", text(&store), "--to", to, "--all"]);
    let mine = Clockwork::new(database().await);
    mine.database.sql("INSERT INTO vrf (vrf_id, description) VALUES ('red', 'x')").await;
    assert_eq!(mine.backup().await, foreign);
    mine.turn(chrono::Duration::hours(1));
    let next = mine.backup().await;
    let from = mine.folder.path().join("store");
    let ended = one.run(&["copy", "--store", text(&from), "--to", to, "--all", "--json"]);
    assert_eq!(ended.code, 1, "{}", ended.err);
    let report: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(report["refused"][0]["backup_id"], foreign.as_str());
    assert_eq!(report["copied"], serde_json::json!([next.as_str()]));
    // Also after that one was deleted: an id is never used again.
    one.ok(&["delete", foreign.as_str(), "--store", to, "--yes"]);
    let ended = one.run(&["copy", "--store", text(&from), "--to", to, foreign.as_str()]);
    assert_eq!(ended.code, 1);
    assert!(ended.out.contains(&format!("NOT copied: {foreign}")), "{}", ended.out);

    let ended = one.run(&["copy", "--to", text(one.store()), "--all"]);
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(ended.err.contains("onto itself"), "{}", ended.err);
    assert_eq!(one.run(&["copy", "--to", to, "20200101_000000"]).code, 3);
    assert_eq!(one.run(&["copy", "--to", to]).code, 2);
    assert_eq!(one.ids(), [taken]);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_backup_does_not_travel_and_the_others_do() {
    let clockwork = Clockwork::new(database().await);
    clockwork.database.sql("INSERT INTO vrf (vrf_id, description) VALUES ('red', 'x')").await;
    let good = clockwork.backup().await;
    let store = clockwork.folder.path().join("store");
    let before = packs(&store);
    clockwork.turn(chrono::Duration::hours(1));
    clockwork.database.sql("INSERT INTO vrf (vrf_id, description) VALUES ('blue', 'y')").await;
    let bad = clockwork.backup().await;
    for path in packs(&store).into_keys().filter(|path| !before.contains_key(path)) {
        let mut bytes = std::fs::read(&path).expect("read");
        for place in 40..bytes.len() / 2 {
            bytes[place] ^= 1;
        }
        std::fs::write(&path, bytes).expect("written");
    }
    let program = Program::at(None);
    let ended = program.run(&[
        "copy",
        "--store",
        text(&store),
        "--to",
        text(program.store()),
        "--all",
        "--json",
    ]);
    assert_eq!(ended.code, 1, "{}", ended.err);
    let report: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(report["copied"], serde_json::json!([good.as_str()]));
    assert_eq!(report["refused"][0]["backup_id"], bad.as_str());
    assert!(report["refused"][0]["why"].as_str().is_some_and(|why| why.contains("damaged")));
    intact(&program, text(program.store()));
    assert_eq!(program.ids(), [good.as_str()]);

    // The store that was copied remembers it, so no cleanup takes it for good.
    let list = program.json(&["list", "--store", text(&store)]);
    let status = |place: usize| list["backups"][place]["status"].clone();
    assert_eq!((status(0), status(1)), ("corrupt".into(), "completed".into()), "{list}");
    program.ok(&["cleanup", "1", "--store", text(&store)]);
    let kept = listed(&program, text(&store));
    assert!(kept.iter().any(|it| it["backup_id"] == good.as_str()), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_copies_at_once_find_the_same_backups_and_both_succeed() {
    let database = sample_database().await;
    let program = Program::on(&database);
    for round in 0..3 {
        program.backup();
        database.sql(&format!("UPDATE vrf SET description = '{round}'")).await;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for round in 0..6 {
        let to = folder.path().join(round.to_string());
        let begin = || Running::start(&program, &["copy", "--to", text(&to), "--all"]);
        let (one, other) = (begin(), begin());
        for ended in [one.ended().await, other.ended().await] {
            assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
        }
        assert_eq!(listed(&program, text(&to)), listed(&program, text(program.store())));
        intact(&program, text(&to));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_killed_at_any_moment_leaves_whole_backups_and_goes_on() {
    const KILLS: u32 = 8;
    let database = sample_database().await;
    let program = Program::on(&database);
    for round in 0..3 {
        program.backup();
        let tags = format!("UPDATE prefix SET tags = '{{\"round\": \"{round}\"}}'");
        database.sql(&tags).await;
    }
    let folder = crate::support::folder();
    let whole = folder.path().join("whole");
    let begun = Instant::now();
    program.ok(&["copy", "--to", text(&whole), "--all"]);
    let time = begun.elapsed();
    let mut midway = 0;
    for kill in 1..=KILLS {
        let to = folder.path().join(kill.to_string());
        let mut copy = Running::start(&program, &["copy", "--to", text(&to), "--all"]);
        tokio::time::sleep(time * kill / (KILLS + 1)).await;
        copy.signal(Signal::SIGKILL);
        copy.ended().await;
        if to.join("store.json").exists() {
            intact(&program, text(&to));
            midway += usize::from(listed(&program, text(&to)).len() < 3);
        }
        program.ok(&["copy", "--to", text(&to), "--all"]);
        assert_eq!(listed(&program, text(&to)), listed(&program, text(&whole)), "kill {kill}");
        intact(&program, text(&to));
    }
    assert!(midway > 0, "no kill came in time");
}
