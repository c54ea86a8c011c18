//! Copies that the service makes by itself.

use std::path::Path;
use std::time::Duration;

use ipam_rewind::api::body::notice;
use ipam_rewind::engine::{Engine, RestoreOptions};
use ipam_rewind::model::Policy;
use ipam_rewind::service::Service;
use ipam_rewind::service::automation::Plan;
use ipam_rewind::service::jobs::{Job, JobKind, JobState, Order, Trigger, Work};
use ipam_rewind::service::notify::{Target, Wanted};
use ipam_rewind::service::schedule::Timetable;
use ipam_rewind::store::{Held, Lock, LockKind, Mode, Store};
use object_store::memory::InMemory;

use super::{listed, text};
use crate::store::faults::Faulty;
use crate::support::clockwork::{Clockwork, metrics_text};
use crate::support::database;
use crate::support::program::Program;
use crate::support::receiver::Receiver;
use crate::support::serving::until;

/// No step takes as long as a copy waits for the other store.
const SOON: Duration = Duration::from_secs(30);

fn hourly(copy: &Path) -> Plan {
    Plan {
        timetable: Timetable::new(&["0 * * * *".to_owned()], "UTC").expect("a timetable"),
        copy_to: Some(text(copy).to_owned()),
        ..Plan::default()
    }
}

/// Makes the other store, and holds up whoever copies into it.
async fn held_up(copy: &Path) -> Held {
    let store = Store::open_or_create(&text(copy).parse().expect("a folder")).await;
    let store = store.expect("a store");
    let held = store.lock(Lock::Objects, Mode::Exclusive, "test", Duration::ZERO).await;
    held.expect("free")
}

fn latest(service: &Service, kind: JobKind) -> Option<Job> {
    service.jobs.latest(usize::MAX).into_iter().find(|job| job.kind == kind)
}

fn state(service: &Service, kind: JobKind) -> Option<JobState> {
    latest(service, kind).map(|job| job.state)
}

async fn back_up(service: &Service) {
    let made = tokio::time::timeout(SOON, service.automation.backups.back_up_if_due()).await;
    assert!(made.expect("it waits for nothing"));
}

fn order(work: Work) -> Order {
    let trigger = Trigger::Request;
    Order { work, created_by: "somebody".into(), caller: None, trigger, request_id: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn second_copy_that_does_not_answer_delays_no_backup_cleanup_or_restore() {
    let clockwork = Clockwork::new(database().await);
    let copy = clockwork.folder.path().join("copy");
    let held = held_up(&copy).await;
    let plan = Plan { retention: Some(Policy::last(2)), ..hourly(&copy) };
    let service = clockwork.service(plan).await;
    for _ in 0..4 {
        clockwork.turn(chrono::Duration::hours(1));
        back_up(&service).await;
        until("the copy", async || state(&service, JobKind::Copy) == Some(JobState::Running)).await;
    }
    let ids = clockwork.engine().await.store().backups().await.expect("listed");
    assert_eq!(ids.len(), 2, "the cleanups were carried out");
    let restore = Work::Restore(ids[0].clone(), RestoreOptions::default());
    let restore = service.jobs.submit(order(restore)).expect("not refused").job_id;
    let ended = tokio::time::timeout(SOON, service.jobs.ended(restore)).await;
    assert_eq!(ended.expect("soon").expect("known").state, JobState::Succeeded);
    assert_eq!(state(&service, JobKind::Copy), Some(JobState::Running), "still the first one");
    held.release().await;
    until("the copies", async || {
        let copied = listed(&Program::at(None), text(&copy)).len();
        copied == 3 && state(&service, JobKind::Copy) == Some(JobState::Succeeded)
    })
    .await;
    service.shut_down(Duration::from_mins(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cleanup_that_waits_for_a_verification_refuses_and_delays_nobody() {
    let clockwork = Clockwork::new(database().await);
    let objects = Faulty::over(std::sync::Arc::new(InMemory::new()));
    let store = Store::over(objects.clone(), None, LockKind::LEASE).await.expect("a store");
    let engine = Engine::new(store, Some(clockwork.database.url.clone()));
    let timetable = Timetable::new(&["0 * * * *".to_owned()], "UTC").expect("a timetable");
    let plan = Plan { timetable, retention: Some(Policy::last(2)), ..Plan::default() };
    let service = clockwork.service_over(engine, plan).await;
    for _ in 0..2 {
        clockwork.turn(chrono::Duration::hours(1));
        back_up(&service).await;
    }
    let held = objects.hold_up_next_reading().await;
    let verify = service.jobs.submit(order(Work::Verify(Vec::new()))).expect("taken on").job_id;
    until("it", async || objects.holds_a_reading()).await;
    assert_eq!(state(&service, JobKind::Verify), Some(JobState::Running));
    for _ in 0..2 {
        clockwork.turn(chrono::Duration::hours(1));
        back_up(&service).await;
    }
    assert_eq!(service.engine.store().backups().await.expect("listed").len(), 4);
    let waiting = service.jobs.latest(usize::MAX).into_iter();
    assert_eq!(waiting.filter(|job| job.state == JobState::Queued).count(), 1, "one cleanup");
    service.jobs.submit(order(Work::Cleanup(Policy::last(3)))).expect("not refused");
    drop(held);
    service.jobs.ended(verify).await.expect("known");
    until("the cleanups", async || {
        service.engine.store().backups().await.expect("listed").len() == 2
    })
    .await;
    service.shut_down(Duration::from_mins(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_that_lags_behind_is_seen_and_told_once() {
    let clockwork = Clockwork::new(database().await);
    let receiver = Receiver::start().await;
    let copy = clockwork.folder.path().join("copy");
    let target = format!("http://{}/", receiver.address);
    let notify = || vec![Target::parse(&target, Wanted::Failure, None, notice).expect("a target")];
    // Every backup is younger than a copy may be late.
    let plan = || Plan { retention: Some(Policy::last(2)), notify: notify(), ..hourly(&copy) };
    clockwork.backup().await;
    clockwork.turn(chrono::Duration::days(30));
    let held = held_up(&copy).await;
    let service = clockwork.service(plan()).await;
    let check = async || service.automation.health.health().await.checks.copy;
    service.automation.watch.look().await;
    assert!(check().await.ok, "before it was there nothing could be copied: {:?}", check().await);
    for hour in 0..8 {
        clockwork.turn(chrono::Duration::hours(1));
        back_up(&service).await;
        until("it", async || state(&service, JobKind::Copy) == Some(JobState::Running)).await;
        let job = latest(&service, JobKind::Copy).expect("it runs");
        service.jobs.cancel(job.job_id).await.expect("cancelled");
        service.automation.watch.look().await;
        assert_eq!(check().await.ok, hour < 7, "{hour}: {:?}", check().await);
    }
    service.shut_down(Duration::from_mins(1)).await;
    drop(service);

    let service = clockwork.service(plan()).await;
    let check = async || service.automation.health.health().await.checks.copy;
    assert!(!check().await.ok, "remembered");
    service.automation.watch.look().await;
    held.release().await;
    service.automation.keep_to_plan();
    until("the copy", async || check().await.ok && check().await.age_seconds == Some(0)).await;
    service.automation.watch.look().await;
    let events = async || -> Vec<String> {
        let told = receiver.until(1).await.into_iter().map(|it| it.json());
        let events = told.map(|it| it["event"].as_str().expect("a word").to_owned());
        events.filter(|event| ["copy_overdue", "resolved"].contains(&event.as_str())).collect()
    };
    until("both", async || events().await == ["copy_overdue", "resolved"]).await;
    service.shut_down(Duration::from_mins(1)).await;
    drop(service);

    // Another place begins anew.
    let elsewhere = clockwork.folder.path().join("elsewhere");
    let _held = held_up(&elsewhere).await;
    let service = clockwork.service(Plan { notify: notify(), ..hourly(&elsewhere) }).await;
    let check = async || service.automation.health.health().await.checks.copy;
    assert_eq!((check().await.ok, check().await.age_seconds), (true, None), "{:?}", check().await);
    clockwork.turn(chrono::Duration::hours(7));
    assert!(!check().await.ok, "{:?}", check().await);
    service.shut_down(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_in_the_copy_is_not_copied_again_by_itself() {
    let clockwork = Clockwork::new(database().await);
    let copy = clockwork.folder.path().join("copy");
    let service = clockwork.service(hourly(&copy)).await;
    let program = Program::at(None);
    let copied = |count: usize| {
        let (service, program, copy) = (&service, &program, &copy);
        async move {
            until("the copy", async || {
                state(service, JobKind::Copy) == Some(JobState::Succeeded)
                    && listed(program, text(copy)).len() == count
            })
            .await;
        }
    };
    for count in 1..=3 {
        clockwork.turn(chrono::Duration::hours(1));
        back_up(&service).await;
        copied(count).await;
    }
    program.ok(&["cleanup", "1", "--store", text(&copy)]);
    clockwork.turn(chrono::Duration::hours(1));
    back_up(&service).await;
    copied(2).await;
    assert!(service.automation.health.health().await.checks.copy.ok);
    service.shut_down(Duration::from_mins(1)).await;
    drop(service);

    // Also after a restart; but not into another store at the same place, and not if somebody asks.
    let service = clockwork.service(hourly(&copy)).await;
    let finished = |service: &Service| {
        let jobs = service.jobs.latest(usize::MAX).into_iter();
        jobs.filter(|it| it.kind == JobKind::Copy && it.state == JobState::Succeeded).count()
    };
    let before = finished(&service);
    service.automation.keep_to_plan();
    until("a copy", async || finished(&service) > before).await;
    service.shut_down(Duration::from_mins(1)).await;
    drop(service);
    assert_eq!(listed(&program, text(&copy)).len(), 2);
    let store = clockwork.folder.path().join("store");
    program.ok(&["copy", "--store", text(&store), "--to", text(&copy), "--all"]);
    assert_eq!(listed(&program, text(&copy)).len(), 4);
    std::fs::remove_dir_all(&copy).expect("removed");
    let service = clockwork.service(hourly(&copy)).await;
    service.automation.keep_to_plan();
    until("all", async || copy.is_dir() && listed(&program, text(&copy)).len() == 4).await;
    service.shut_down(Duration::from_mins(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_backup_is_told_once_and_later_copies_succeed() {
    let clockwork = Clockwork::new(database().await);
    let copy = clockwork.folder.path().join("copy");
    clockwork.database.sql("INSERT INTO vrf (vrf_id, description) VALUES ('red', 'x')").await;
    let bad = clockwork.backup().await;
    for path in crate::store::samples::files(&clockwork.folder.path().join("store"), "packs") {
        let mut bytes = std::fs::read(&path).expect("read");
        let end = bytes.len() / 2;
        bytes[40..end].iter_mut().for_each(|byte| *byte ^= 1);
        std::fs::write(&path, bytes).expect("written");
    }
    let service = clockwork.service(hourly(&copy)).await;
    service.automation.keep_to_plan();
    until("it", async || state(&service, JobKind::Copy) == Some(JobState::Failed)).await;
    let failure = latest(&service, JobKind::Copy).and_then(|job| job.failure).expect("why");
    assert!(failure.detail.contains(bad.as_str()) && failure.detail.contains("damaged"));
    clockwork.turn(chrono::Duration::hours(1));
    clockwork.database.sql("UPDATE vrf SET description = 'y'").await;
    back_up(&service).await;
    until("it", async || state(&service, JobKind::Copy) == Some(JobState::Succeeded)).await;
    let check = service.automation.health.health().await.checks.copy;
    assert!(check.ok, "{check:?}");
    service.shut_down(Duration::from_mins(1)).await;
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
    let failed =
        async || told().await.find(|it| it["event"] == "job_failed" && it["job"]["kind"] == "copy");
    until("the notice", async || failed().await.is_some()).await;
    let message = failed().await.expect("just seen")["message"].clone();
    let message = message.as_str().expect("words");
    assert!(message.contains("the other store"), "{message}");
    assert!(!message.contains(text(clockwork.folder.path())), "no path of this machine: {message}");
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
