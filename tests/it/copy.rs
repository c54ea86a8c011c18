//! A second copy: backups travel between stores, whole or not at all.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use ipam_rewind::api::body::notice;
use ipam_rewind::service::automation::Plan;
use ipam_rewind::service::notify::{Target, Wanted};
use ipam_rewind::service::schedule::Timetable;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::faults::running::Running;
use crate::store::samples::files;
use crate::support::clockwork::{Clockwork, metrics_text};
use crate::support::program::Program;
use crate::support::receiver::Receiver;
use crate::support::s3::S3Server;
use crate::support::serving::until;
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

#[tokio::test(flavor = "multi_thread")]
async fn service_copies_after_each_backup_and_its_failure_is_seen_and_told() {
    let clockwork = Clockwork::new(database().await);
    let receiver = Receiver::start().await;
    let copy = clockwork.folder.path().join("copy");
    let target = format!("http://{}/", receiver.address);
    let plan = || Plan {
        timetable: Timetable::new(&["0 * * * *".to_owned()], "UTC").expect("a timetable"),
        notify: vec![Target::parse(&target, Wanted::Failure, None, notice).expect("a target")],
        copy_to: Some(text(&copy).to_owned()),
        ..Plan::default()
    };
    let service = clockwork.service(plan()).await;
    clockwork.turn(chrono::Duration::hours(1));
    assert!(service.automation.backups.back_up_if_due().await);
    let check = async || service.automation.health.health().await.checks.copy;
    until("the copy", async || check().await.age_seconds.is_some()).await;
    clockwork.turn(chrono::Duration::minutes(10));
    let seen = check().await;
    assert_eq!((seen.ok, seen.age_seconds), (true, Some(600)), "{seen:?}");
    let program = Program::at(None);
    let ids = clockwork.ids().await;
    let copied = || -> Vec<String> {
        let list = listed(&program, text(&copy));
        list.iter().map(|it| it["backup_id"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!(copied(), ids);
    let metrics = metrics_text(&service).await;
    let line = r#"ipam_rewind_jobs_total{kind="copy",trigger="schedule",outcome="succeeded"} 1"#;
    assert!(metrics.contains(line), "{metrics}");

    // Somebody unmounts it.
    std::fs::rename(&copy, clockwork.folder.path().join("away")).expect("renamed");
    std::fs::write(&copy, "no folder").expect("written");
    clockwork.turn(chrono::Duration::hours(1));
    assert!(service.automation.backups.back_up_if_due().await);
    until("the failure", async || !check().await.ok).await;
    assert_eq!(check().await.detail, "the latest copy failed");
    let told = async || receiver.until(1).await.into_iter().map(|it| it.json());
    until("the notice", async || {
        told().await.any(|it| it["event"] == "job_failed" && it["job"]["kind"] == "copy")
    })
    .await;
    service.shut_down(Duration::from_mins(1)).await;
    drop(service);

    // It is back, and a restart makes up for what was missed.
    std::fs::remove_file(&copy).expect("removed");
    std::fs::rename(clockwork.folder.path().join("away"), &copy).expect("renamed");
    let service = clockwork.service(plan()).await;
    assert!(!service.automation.health.health().await.checks.copy.ok, "remembered");
    service.automation.keep_to_plan();
    until("the copy", async || service.automation.health.health().await.checks.copy.ok).await;
    let mut all = clockwork.ids().await;
    all.reverse();
    assert_eq!(copied(), all);
    service.shut_down(Duration::from_mins(1)).await;
}
