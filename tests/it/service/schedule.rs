//! Scheduled backups and what is kept of them.

use chrono::Duration;
use ipam_rewind::engine::{RestoreOptions, Run};
use ipam_rewind::model::{Age, BackupId, Policy};
use ipam_rewind::service::Service;
use ipam_rewind::service::automation::Plan;
use ipam_rewind::service::jobs::{JobState, Trigger};
use ipam_rewind::service::schedule::Timetable;

use crate::faults::running::{hold, until_it_waits_for_a_table};
use crate::support::clockwork::{Clockwork, metrics_text};
use crate::support::program::Program;
use crate::support::serving::{Serving, until};
use crate::support::{database, sample_database};

/// Each full hour.
fn hourly(retention: Option<Policy>) -> Plan {
    let timetable = Timetable::new(&["0 * * * *".to_owned()], "UTC").expect("a timetable");
    Plan { timetable, retention, ..Plan::default() }
}

async fn shut_down(service: Service) {
    service.shut_down(std::time::Duration::from_mins(1)).await;
}

#[tokio::test]
async fn a_backup_is_made_when_it_is_due_and_says_why() {
    let clockwork = Clockwork::new(sample_database().await);
    let service = clockwork.service(hourly(None)).await;
    assert!(
        !service.automation.backups.back_up_if_due().await,
        "nothing is due before the full hour"
    );
    clockwork.turn(Duration::minutes(31));
    assert!(service.automation.backups.back_up_if_due().await);
    assert!(!service.automation.backups.back_up_if_due().await, "once an hour");

    assert_eq!(clockwork.ids().await, ["20250920_150100"]);
    let made = service.engine.list().await.expect("listed").backups.remove(0).info;
    assert_eq!(
        (made.created_by.as_str(), made.description.as_str()),
        ("schedule", "Scheduled backup")
    );
    let job = service.jobs.latest(1).remove(0);
    assert_eq!((job.trigger, job.state), (Trigger::Schedule, JobState::Succeeded));

    let status = service.automation.schedule.status().await;
    let run = status.last_run.expect("there was one");
    assert_eq!(
        (run.outcome, run.backup_id.as_ref().map(BackupId::as_str)),
        (JobState::Succeeded, Some("20250920_150100"))
    );
    let next = status.schedules[0].next_at.expect("it goes on").to_rfc3339();
    assert_eq!((status.time_zone, next.as_str()), ("UTC", "2025-09-20T16:00:00+00:00"));
    shut_down(service).await;
}

#[tokio::test]
async fn after_a_clock_that_was_a_year_ahead_backups_are_made_as_scheduled() {
    let clockwork = Clockwork::new(database().await);
    clockwork.turn(Duration::days(365));
    let service = clockwork.service(hourly(None)).await;
    clockwork.turn(Duration::hours(1));
    assert!(service.automation.backups.back_up_if_due().await);

    // In the running service, and after a restart.
    clockwork.turn(Duration::days(-365));
    assert!(!service.automation.backups.back_up_if_due().await, "nothing is due at once");
    clockwork.turn(Duration::hours(1));
    assert!(service.automation.backups.back_up_if_due().await);
    shut_down(service).await;
    let service = clockwork.service(hourly(None)).await;
    clockwork.turn(Duration::hours(1));
    assert!(service.automation.backups.back_up_if_due().await);
    assert_eq!(clockwork.ids().await.len(), 3);

    // One that is late is seen by the clock of now.
    clockwork.turn(Duration::minutes(75));
    service.automation.watch.look().await;
    let metrics = metrics_text(&service).await;
    assert!(metrics.contains("ipam_rewind_backup_overdue 1"), "{metrics}");
    let success = clockwork.now().timestamp() - 75 * 60;
    let success = format!("last_success_timestamp_seconds{{kind=\"backup\"}} {success}");
    assert!(metrics.contains(&success), "{success} in {metrics}");
    shut_down(service).await;
}

#[tokio::test]
async fn however_many_backups_were_missed_one_is_caught_up_also_after_a_restart() {
    let clockwork = Clockwork::new(database().await);
    shut_down(clockwork.service(hourly(None)).await).await;
    clockwork.turn(Duration::hours(30));
    let service = clockwork.service(hourly(None)).await;
    while service.automation.backups.back_up_if_due().await {}
    assert_eq!(clockwork.ids().await.len(), 1);

    // As after a night of a machine that was asleep.
    clockwork.turn(Duration::hours(8));
    while service.automation.backups.back_up_if_due().await {}
    assert_eq!(clockwork.ids().await.len(), 2);
    shut_down(service).await;
}

#[tokio::test]
async fn a_backup_that_the_end_of_the_service_cut_short_is_made_after_the_restart() {
    let clockwork = Clockwork::new(database().await);
    let service = clockwork.service(hourly(None)).await;
    clockwork.turn(Duration::hours(1));
    let held = hold(&clockwork.database, "LOCK TABLE vrf").await;
    let backups = service.automation.backups.clone();
    let backing_up = tokio::spawn(async move { backups.back_up_if_due().await });
    until_it_waits_for_a_table(&clockwork.database).await;
    service.shut_down(std::time::Duration::ZERO).await;
    assert!(backing_up.await.expect("no panic"), "it was due");
    drop((service, held));
    assert!(clockwork.ids().await.is_empty());

    let service = clockwork.service(hourly(None)).await;
    assert!(service.automation.backups.back_up_if_due().await, "it is due still");
    assert_eq!(clockwork.ids().await.len(), 1);
    shut_down(service).await;
}

#[tokio::test]
async fn a_service_that_starts_for_the_first_time_has_missed_nothing() {
    let clockwork = Clockwork::new(database().await);
    let service = clockwork.service(hourly(None)).await;
    assert!(!service.automation.backups.back_up_if_due().await);
    assert!(clockwork.ids().await.is_empty());
    shut_down(service).await;
}

#[tokio::test]
async fn after_a_scheduled_backup_the_rules_apply_and_pinned_ones_stay() {
    let clockwork = Clockwork::new(database().await);
    let pinned = clockwork.backup().await;
    let store = clockwork.engine().await;
    let mut state = store.store().state(&pinned).await.expect("read");
    state.pinned = true;
    store.store().change_state(&pinned, |now| *now = state.clone()).await.expect("pinned");
    for _ in 0..3 {
        clockwork.turn(Duration::minutes(5));
        clockwork.backup().await;
    }
    let service = clockwork.service(hourly(Some(Policy::last(2)))).await;
    clockwork.turn(Duration::hours(1));
    assert!(service.automation.backups.back_up_if_due().await);
    assert_eq!(clockwork.ids().await, ["20250920_143000", "20250920_144500", "20250920_154500"]);
    shut_down(service).await;
}

#[tokio::test]
async fn what_a_restore_put_aside_goes_in_its_own_time_and_takes_no_place() {
    let clockwork = Clockwork::new(sample_database().await);
    let first = clockwork.backup().await;
    clockwork.database.sql("UPDATE vrf SET description = 'oops' WHERE vrf_id = 'prod-vrf'").await;
    clockwork.turn(Duration::minutes(5));
    let options = RestoreOptions::default();
    let restored = clockwork.engine().await.restore(&first, &options, &Run::new()).await;
    let aside = restored.expect("restored").restore_results.safety_backup.expect("put aside");

    let policy = Policy { pre_restore_within: Age::days(2), ..Policy::last(1) };
    let service = clockwork.service(hourly(Some(policy))).await;
    clockwork.turn(Duration::hours(1));
    assert!(service.automation.backups.back_up_if_due().await);
    let ids = clockwork.ids().await;
    assert_eq!(ids, [aside.as_str(), "20250920_153500"], "the newest, and what was put aside");
    clockwork.turn(Duration::days(2));
    assert!(service.automation.backups.back_up_if_due().await);
    assert_eq!(clockwork.ids().await, ["20250922_153500"]);
    shut_down(service).await;
}

#[tokio::test]
async fn the_program_backs_up_by_itself_and_keeps_what_it_is_told_to() {
    let database = database().await;
    let program = Program::on(&database);
    let every_second = ["--schedule", "* * * * * *", "--time-zone", "Europe/Berlin"];
    let serving = Serving::start(&program, &[&every_second[..], &["--keep-last", "2"]].concat());
    until("three scheduled backups and their cleanups", async || {
        let jobs = serving.json("/api/jobs").await;
        let jobs = jobs["jobs"].as_array().expect("a list").clone();
        let done =
            |job: &&serde_json::Value| job["state"] == "succeeded" && job["kind"] == "cleanup";
        jobs.iter().filter(done).count() >= 3
    })
    .await;
    let schedule = serving.json("/api/schedule").await;
    assert_eq!(schedule["time_zone"], "Europe/Berlin");
    assert_eq!(schedule["last_run"]["outcome"], "succeeded");
    assert_eq!(schedule["retention"]["last"], 2);
    assert_eq!(schedule["retention"]["pre_restore_within"], "30d");
    assert_eq!(serving.stop().await, 0);
    let left = program.ids().len();
    assert!((2..=3).contains(&left), "two, or one more if the end came before a cleanup: {left}");
}
