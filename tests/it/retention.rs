//! What a cleanup keeps: safety backups by a rule of their own, the newest good backup always, and
//! what may be pinned.

use std::fs;

use chrono::Duration;
use ipam_rewind::engine::{BackupRequest, RestoreOptions, Run};
use ipam_rewind::model::{Age, BackupId, Policy, State};
use ipam_rewind::service::automation::Plan;
use ipam_rewind::service::jobs::{JobState, Order, Trigger, Work};
use ipam_rewind::service::schedule::Timetable;

use crate::support::app::App;
use crate::support::clockwork::Clockwork;
use crate::support::program::Program;
use crate::support::serving::until;
use crate::support::{database, sample_database};

/// Makes a backup and a restore of it, which puts another aside; the ids of both.
fn backup_and_restore(program: &Program) -> (String, String) {
    let id = program.backup();
    let restored = program.json(&["restore", &id, "--yes"]);
    let aside = restored["restore_results"]["safety_backup"].as_str().expect("put aside");
    (id, aside.to_owned())
}

/// Damages what only the newest backup needs, and lets a verification find it.
fn damage_newest(program: &Program, before: &[std::path::PathBuf]) {
    let new = packs(program).into_iter().find(|pack| !before.contains(pack)).expect("a new pack");
    let mut bytes = fs::read(&new).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&new, bytes).expect("written");
    assert_eq!(program.run(&["verify"]).code, 4);
}

fn packs(program: &Program) -> Vec<std::path::PathBuf> {
    crate::store::samples::files(program.store(), "packs")
}

#[tokio::test]
async fn safety_backups_take_no_place_among_the_kept() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let old = program.backup();
    let (new, aside) = backup_and_restore(&program);
    program.ok(&["cleanup", "2"]);
    assert_eq!(program.ids(), [aside.clone(), new.clone(), old]);
    program.ok(&["cleanup", "1", "--keep-pre-restore", "0h"]);
    assert_eq!(program.ids(), [aside.clone(), new], "the newest good one stays, whatever it is");
    let newest = program.backup();
    program.ok(&["cleanup", "1", "--keep-pre-restore", "0h"]);
    assert_eq!(program.ids(), [newest, aside], "the restore can still be undone");
}

#[tokio::test]
async fn cleanup_that_would_leave_nothing_is_refused_unless_allowed() {
    let database = database().await;
    let program = Program::on(&database);
    let ids = [program.backup(), program.backup()];
    for arguments in [&["cleanup", "0"][..], &["cleanup", "0", "--dry-run"]] {
        let refused = program.run(arguments);
        assert_eq!(refused.code, 2, "{}{}", refused.out, refused.err);
        assert!(refused.err.contains("--allow-empty"), "{}", refused.err);
    }
    assert_eq!(program.ids().len(), ids.len());
    program.ok(&["cleanup", "0", "--allow-empty"]);
    assert!(program.ids().is_empty());
    program.ok(&["cleanup", "0"]);
}

#[tokio::test]
async fn damaged_newest_backup_displaces_no_good_one() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let good = program.backup();
    let before = packs(&program);
    database.sql("UPDATE prefix SET tags = '{\"new\": true}'").await;
    let damaged = program.backup();
    damage_newest(&program, &before);
    let report = program.json(&["cleanup", "1"]);
    assert_eq!(program.ids(), [damaged, good.clone()], "{report}");
    let kept = report["kept"].as_array().expect("a list");
    let why =
        &kept.iter().find(|kept| kept["backup_id"] == good.as_str()).expect("kept")["kept_because"];
    assert_eq!(*why, serde_json::json!(["last", "newest-good"]));
}

#[tokio::test]
async fn two_damaged_newest_backups_leave_the_verified_one_also_when_previewed() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let good = program.backup();
    let mut ids = vec![good.clone()];
    for tag in ["new", "newer"] {
        let before = packs(&program);
        database.sql(&format!("UPDATE prefix SET tags = '{{\"{tag}\": true}}'")).await;
        ids.insert(0, program.backup());
        let new = packs(&program).into_iter().find(|pack| !before.contains(pack));
        let new = new.expect("a new pack");
        let mut bytes = fs::read(&new).expect("readable");
        let end = bytes.len() * 3 / 4;
        // Leaves and inner nodes alike.
        bytes[60..end].iter_mut().step_by(8).for_each(|byte| *byte ^= 4);
        fs::write(&new, bytes).expect("written");
        assert_eq!(program.run(&["verify"]).code, 4);
    }
    let preview = program.ok(&["cleanup", "2", "--dry-run"]);
    assert!(preview.contains("damaged, so it takes no place, one of the newest"), "{preview}");
    let preview = program.json(&["cleanup", "2", "--dry-run"]);
    assert_eq!(preview["deleted"], serde_json::json!([]));
    assert_eq!(preview["kept"][0]["status"], "corrupt");
    assert!(preview["freed"]["notes"][0].as_str().is_some_and(|note| note.contains("damaged")));
    program.ok(&["stats"]);
    program.ok(&["cleanup", "2"]);
    program.ok(&["cleanup", "1"]);
    assert_eq!(program.ids(), ids);
    let newest = program.backup();
    program.ok(&["cleanup", "1"]);
    assert_eq!(program.ids(), [newest], "a good one takes the place of all");
}

#[tokio::test]
async fn nothing_is_deleted_after_a_backup_that_failed() {
    let clockwork = Clockwork::new(database().await);
    for _ in 0..3 {
        clockwork.turn(Duration::minutes(1));
        clockwork.backup().await;
    }
    let timetable = Timetable::new(&["0 * * * *".to_owned()], "UTC").expect("a timetable");
    let retention = Some(Policy::last(1));
    let service = clockwork.service(Plan { timetable, retention, ..Plan::default() }).await;
    clockwork.database.sql("ALTER TABLE vrf RENAME TO vrf_gone").await;
    clockwork.turn(Duration::hours(1));
    assert!(service.automation.backups.back_up_if_due().await);
    let asked = service.jobs.submit(order(Work::Backup(BackupRequest::default())));
    let asked = service.jobs.ended(asked.expect("taken on").job_id).await.expect("known");
    assert_eq!(asked.state, JobState::Failed);
    assert_eq!(clockwork.ids().await.len(), 3);

    clockwork.database.sql("ALTER TABLE vrf_gone RENAME TO vrf").await;
    clockwork.turn(Duration::hours(1));
    assert!(service.automation.backups.back_up_if_due().await);
    assert_eq!(clockwork.ids().await, ["20250920_163300"]);
    service.shut_down(std::time::Duration::from_mins(1)).await;
    let entries = service.audit.newest(10).await.entries;
    let cleanup = entries.iter().find(|entry| entry.action == "cleanup").expect("an entry");
    let deleted = "deleted 20250920_143300, 20250920_143200, 20250920_143100 and kept 1";
    assert_eq!(cleanup.detail.as_deref(), Some(deleted));
}

#[tokio::test]
async fn backups_of_a_clock_a_year_ahead_cost_no_new_one() {
    let clockwork = Clockwork::new(database().await);
    clockwork.turn(Duration::days(365));
    for _ in 0..2 {
        clockwork.turn(Duration::minutes(1));
        clockwork.backup().await;
    }
    clockwork.turn(Duration::days(-365));
    for policy in [Policy::last(2), Policy { daily: 2, ..Policy::default() }] {
        let plan = Plan { retention: Some(policy), ..Plan::default() };
        let service = clockwork.service(plan).await;
        for _ in 0..3 {
            clockwork.turn(Duration::days(1));
            let asked = service.jobs.submit(order(Work::Backup(BackupRequest::default())));
            let made = service.jobs.ended(asked.expect("taken on").job_id).await.expect("known");
            assert_eq!(made.state, JobState::Succeeded);
            let id = BackupId::at(clockwork.now());
            until("the cleanup after it", async || service.jobs.counts() == (0, 0)).await;
            assert!(clockwork.ids().await.contains(&id.to_string()), "{id}");
        }
        service.shut_down(std::time::Duration::from_mins(1)).await;
    }
}

#[tokio::test]
async fn newest_backup_whose_pack_is_gone_unnoticed_is_not_the_newest_good_one() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let good = program.backup();
    let before = packs(&program);
    database.sql("UPDATE prefix SET tags = '{\"new\": true}'").await;
    program.backup();
    let new = packs(&program).into_iter().find(|pack| !before.contains(pack)).expect("a new pack");
    fs::remove_file(new).expect("removed");
    program.run(&["cleanup", "1"]);
    assert!(program.ids().contains(&good), "the only backup that can be restored");
}

#[tokio::test]
async fn backup_with_an_unreadable_state_outlives_cleanups_and_stays_pinned_when_annotated() {
    let database = database().await;
    let program = Program::on(&database);
    let old = program.backup();
    program.ok(&["annotate", &old, "--pin"]);
    program.backup();
    let state = program.store().join(&old).join("state.json");
    let text = fs::read_to_string(&state).expect("readable");
    fs::write(&state, text.replace("pinned", "pioned")).expect("written");
    program.ok(&["cleanup", "1"]);
    assert!(state.exists());
    let found = program.run(&["verify"]);
    assert_eq!(found.code, 4, "{}", found.out);
    assert!(found.out.contains(&old) && found.out.contains("state"), "{}", found.out);
    program.ok(&["annotate", &old, "--label", "site=fra"]);
    program.ok(&["cleanup", "1"]);
    let info = &program.json(&["details", &old])["backup_info"];
    assert_eq!(info["pinned"], true);
}

#[tokio::test]
async fn rules_of_the_api_are_those_of_the_command() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    app.post("/api/cleanup?keep=0").await.ok();
    let id = app.backup().await;
    app.post("/api/cleanup?keep=0").await.problem(400, "malformed_request");
    app.post("/api/cleanup?keep=0&dry_run=true").await.problem(400, "malformed_request");
    app.post(&format!("/api/restore/{id}")).await.ok();
    let kept = app.post("/api/cleanup?keep=1").await.ok();
    assert_eq!(kept["kept"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        kept["kept"][0]["kept_because"],
        serde_json::json!(["pre-restore", "newest-good", "undo"])
    );
    app.backup().await;
    let kept = app.post("/api/cleanup?keep=1&keep_pre_restore=0h").await.ok();
    assert_eq!(kept["kept"].as_array().map(Vec::len), Some(2));
    assert_eq!(kept["kept"][1]["kept_because"], serde_json::json!(["undo"]));
    app.post("/api/cleanup?keep=0&keep_pre_restore=0h&allow_empty=true").await.ok();
    assert_eq!(app.get("/api/backups").await.ok()["count"], 0);
}

fn order(work: Work) -> Order {
    let trigger = Trigger::Request;
    Order { work, created_by: "somebody".into(), caller: None, trigger, request_id: None }
}

#[tokio::test]
async fn service_keeps_the_ten_newest_after_each_backup_that_is_asked_for() {
    let clockwork = Clockwork::new(database().await);
    let first = clockwork.backup().await;
    let engine = clockwork.engine().await;
    let pin = |state: &mut State| state.pinned = true;
    engine.store().change_state(&first, pin).await.expect("pinned");
    engine.restore(&first, &RestoreOptions::default(), &Run::new()).await.expect("restored");
    for _ in 0..11 {
        clockwork.turn(Duration::minutes(1));
        clockwork.backup().await;
    }
    let plan = Plan { retention: Some(Policy::last(Policy::LAST)), ..Plan::default() };
    let service = clockwork.service(plan).await;
    let before = clockwork.ids().await;
    let jobs = &service.jobs;
    let mut changes = jobs.follow();
    let asked = jobs.submit(order(Work::Backup(BackupRequest::default()))).expect("taken");
    jobs.ended(asked.job_id).await.expect("ended");
    while clockwork.ids().await.len() > 12 {
        changes.changed().await.expect("the service lives");
    }
    let ids = clockwork.ids().await;
    // The pinned one, the safety backup, and the ten newest.
    assert_eq!((ids.len(), &ids[..2]), (12, &before[..2]));
    assert!(!before.contains(&ids[11]));
    service.shut_down(std::time::Duration::from_mins(1)).await;
}

#[test]
fn defaults_are_ten_and_thirty_days() {
    let policy = Policy::last(Policy::LAST);
    assert_eq!((policy.last, policy.pre_restore_within), (10, Age::days(30)));
}
