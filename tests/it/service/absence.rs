//! What did not happen is noticed: told once when it begins and once when it is over, and seen by whoever
//! looks.

use std::time::Duration;

use chrono::Duration as Span;
use ipam_rewind::engine::{RestoreOptions, Run};
use ipam_rewind::model::{Age, Policy};
use ipam_rewind::service::automation::{Cause, Condition, Level, Plan};
use ipam_rewind::service::jobs::{JobState, Order, Trigger, Work};
use ipam_rewind::service::{Metrics, Service};
use ipam_rewind::store::{Lock, Mode};

use super::told::{Listener, hourly};
use crate::support::clockwork::{Clockwork, metrics_text, prove_if_due};
use crate::support::program::Program;
use crate::support::serving::{Serving, until};
use crate::support::{database, sample_database};

async fn verdict(service: &Service) -> (Level, Cause) {
    let protection = service.automation.health.health().await.protection;
    (protection.level, protection.cause)
}

async fn shut_down(service: Service) {
    service.shut_down(Duration::from_mins(1)).await;
}

#[tokio::test]
async fn a_safety_backup_is_not_the_latest_one() {
    let clockwork = Clockwork::new(sample_database().await);
    let id = clockwork.backup().await;
    clockwork.turn(Span::hours(1));
    let (options, run) = (RestoreOptions::default(), Run::new());
    clockwork.engine().await.restore(&id, &options, &run).await.expect("restored");
    let service = clockwork.service(Plan::default()).await;
    let health = service.automation.health.health().await;
    assert_eq!(health.checks.last_backup.backup_id.as_ref(), Some(&id));
    assert!(health.protection.sentence.contains("1 hour ago"), "{}", health.protection.sentence);
    let overview = service.overviews.look().await.expect("read");
    assert_eq!(overview.proofs.len(), 2, "it is proven like others");
    shut_down(service).await;
}

#[tokio::test]
async fn backup_that_was_due_and_was_not_made_is_told_once_and_is_red() {
    let clockwork = Clockwork::new(database().await);
    let (listener, target) = Listener::turning_away(0).await;
    let service = clockwork.service(hourly(target.clone())).await;
    let look = async |service: &Service| service.automation.watch.look().await;
    assert_eq!(verdict(&service).await, (Level::Bad, Cause::NoBackup));
    clockwork.turn(Span::minutes(31));
    assert!(service.automation.backups.back_up_if_due().await);
    look(&service).await;
    assert_eq!(verdict(&service).await, (Level::Good, Cause::NotVerified));

    // Nobody looks after the schedule.
    clockwork.turn(Span::minutes(70));
    look(&service).await;
    assert_eq!(verdict(&service).await, (Level::Bad, Cause::Overdue));
    let health = service.automation.health.health().await;
    assert_eq!(health.condition, Condition::Degraded);
    assert!(health.protection.sentence.ends_with("is 11 minutes late."), "{health:?}");
    assert!(metrics_text(&service).await.contains("ipam_rewind_backup_overdue 1"));
    // A notice that is under way at the end is sent again, with the same id.
    until("the delivery", async || service.automation.notifier.status()[0].condition.waiting == 0)
        .await;
    shut_down(service).await;

    let service = clockwork.service(hourly(target)).await;
    look(&service).await;
    assert!(service.automation.backups.back_up_if_due().await);
    look(&service).await;
    assert_eq!(verdict(&service).await, (Level::Good, Cause::NotVerified));
    let notices = listener.until(3).await;
    let events: Vec<_> = notices.iter().map(|notice| notice["event"].clone()).collect();
    assert_eq!(events, ["overdue", "missed", "resolved"]);
    let message = notices[0]["message"].as_str().expect("words");
    assert_eq!(message, "the backup that was due at 2025-09-20 16:00:00 UTC was not made");
    shut_down(service).await;
}

#[tokio::test]
async fn backup_that_is_not_verified_in_time_is_told() {
    let clockwork = Clockwork::new(database().await);
    clockwork.backup().await;
    let (listener, target) = Listener::turning_away(0).await;
    let plan =
        Plan { timetable: ipam_rewind::service::schedule::Timetable::default(), ..hourly(target) };
    let service = clockwork.service(plan).await;
    clockwork.turn(Span::days(3));
    service.automation.watch.look().await;
    assert_eq!(listener.until(1).await[0]["event"], "verification_overdue");
    assert_eq!(verdict(&service).await, (Level::Notice, Cause::VerificationOverdue));
    assert!(prove_if_due(&service).await);
    service.automation.watch.look().await;
    assert_eq!(listener.until(2).await[1]["event"], "resolved");
    shut_down(service).await;
}

#[tokio::test]
async fn cleanup_that_fails_again_and_again_is_told() {
    let clockwork = Clockwork::new(database().await);
    clockwork.backup().await;
    let (listener, target) = Listener::turning_away(0).await;
    let service = clockwork.service(hourly(target)).await;
    let clean_up = async || {
        let order = Order {
            work: Work::Cleanup(Policy::last(1)),
            created_by: "somebody".into(),
            caller: None,
            trigger: Trigger::Request,
            request_id: None,
        };
        let job = service.jobs.submit(order).expect("taken on").job_id;
        service.jobs.ended(job).await.expect("known").state
    };
    let stuck = async || {
        // First the verdict: what it says is known to the look that follows.
        let stuck = verdict(&service).await.1 == Cause::RetentionStuck;
        service.automation.watch.look().await;
        stuck
    };
    let engine = clockwork.engine().await;
    let held = engine.store().lock(Lock::Maintenance, Mode::Exclusive, "test", Duration::ZERO);
    let held = held.await.expect("free");
    for _ in 0..3 {
        assert!(!stuck().await);
        assert_eq!(clean_up().await, JobState::Failed);
    }
    until("the trouble", stuck).await;
    held.release().await;
    assert_eq!(clean_up().await, JobState::Succeeded);
    until("its end", async || !stuck().await).await;
    let notices = listener.until(2).await;
    let events: Vec<_> = notices.iter().map(|notice| notice["event"].clone()).collect();
    assert_eq!(events, ["retention_stuck", "resolved"]);
    shut_down(service).await;
}

#[tokio::test]
async fn backup_dated_in_the_future_is_a_warning_about_the_clock() {
    let clockwork = Clockwork::new(database().await);
    clockwork.turn(Span::days(365));
    clockwork.backup().await;
    clockwork.turn(Span::days(-365));
    let (listener, target) = Listener::turning_away(0).await;
    let service = clockwork.service(hourly(target)).await;
    service.automation.watch.look().await;
    assert_eq!(verdict(&service).await, (Level::Notice, Cause::ClockAhead));
    let last = service.automation.health.health().await.checks.last_backup;
    assert!(!last.ok && last.detail.contains("check the clock"), "{last:?}");
    assert_eq!(listener.until(1).await[0]["event"], "clock_ahead");
    clockwork.turn(Span::minutes(1));
    clockwork.backup().await;
    clockwork.turn(Span::minutes(2));
    // What other processes did is seen a minute late.
    shut_down(service).await;
    let service = clockwork.service(Plan::default()).await;
    assert_eq!(verdict(&service).await, (Level::Good, Cause::NotVerified));
    shut_down(service).await;
}

#[test]
fn every_series_begins_at_zero() {
    let text = Metrics::new().text();
    for line in [
        r#"ipam_rewind_jobs_total{kind="backup",trigger="schedule",outcome="failed"} 0"#,
        r#"ipam_rewind_jobs_total{kind="cleanup",trigger="schedule",outcome="failed"} 0"#,
        r#"ipam_rewind_job_duration_seconds_count{kind="restore",outcome="succeeded"} 0"#,
        r#"ipam_rewind_last_success_timestamp_seconds{kind="backup"} 0.0"#,
        "ipam_rewind_backup_overdue 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
}

#[tokio::test]
async fn last_success_is_that_of_a_backup_that_is_there() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let serving = Serving::start(&program, &[]);
    let line = async || {
        let text = serving.get("/metrics").send().await.expect("it answers").text().await;
        let text = text.expect("a body");
        let begin = r#"ipam_rewind_last_success_timestamp_seconds{kind="backup"} "#;
        let value = text.lines().find_map(|line| line.strip_prefix(begin)).expect("the series");
        value.parse::<f64>().expect("a number")
    };
    assert!(line().await < 1.0);
    let made = crate::support::serving::ok(serving.post("/api/backup")).await;
    assert!(line().await > 1e9);
    let path = format!("/api/backup/{}", made["backup_id"].as_str().expect("an id"));
    crate::support::serving::ok(serving.request("DELETE", &path)).await;
    assert!(line().await < 1.0, "the backup is gone");
}

#[tokio::test]
async fn strict_health_fails_where_somebody_should_look() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let serving = Serving::start(&program, &[]);
    let status = async |path: &str| serving.get(path).send().await.expect("it answers").status();
    let url = format!("http://{}", serving.address);
    assert_eq!(status("/api/health").await, 200);
    assert_eq!(status("/api/health?strict").await, 503);
    assert_eq!(program.run(&["health", "--url", &url]).code, 0);
    let degraded = program.run(&["health", "--url", &url, "--fail-on", "degraded"]);
    assert_eq!(degraded.code, 1, "{}", degraded.out);
    assert!(degraded.out.contains("Not protected. There is no backup yet."), "{}", degraded.out);
    crate::support::serving::ok(serving.post("/api/backup")).await;
    assert_eq!(status("/api/health?strict").await, 200);
    assert_eq!(program.run(&["health", "--url", &url, "--fail-on", "degraded"]).code, 0);
}

#[tokio::test]
async fn period_of_the_verification_is_not_judged_before_it_is_over() {
    let clockwork = Clockwork::new(database().await);
    clockwork.backup().await;
    let plan = Plan { verify_within: Some(Age::days(2)), ..Plan::default() };
    let service = clockwork.service(plan).await;
    service.automation.watch.look().await;
    assert_eq!(verdict(&service).await.1, Cause::NotVerified);
    shut_down(service).await;
}
