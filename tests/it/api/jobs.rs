//! `/api/jobs`: long work, seen from outside.

use ipam_rewind::api::Settings;
use ipam_rewind::api::body::Job;
use ipam_rewind::service::{Service, StateFolder};

use crate::faults::relay::{Fault, Relay};
use crate::faults::running::{hold, sessions, until};
use crate::support::app::{App, request};
use crate::support::sample_database;

/// What makes a backup wait, and lets it be seen waiting.
const EXCLUSIVE: &str = "LOCK TABLE vrf IN ACCESS EXCLUSIVE MODE";

#[tokio::test]
async fn who_prefers_not_to_wait_is_answered_with_a_job_whose_result_is_the_calls_body() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let mut asked = request("POST", "/api/backup?description=Nightly");
    asked.headers_mut().insert("prefer", "wait=5, respond-async".parse().expect("a header"));
    let answer = app.call(asked).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.header("preference-applied"), "respond-async");
    let body = answer.json();
    assert_eq!(body["status"], "accepted");
    let id = body["job"]["job_id"].as_str().expect("an id");
    assert_eq!(answer.header("location"), format!("/api/jobs/{id}"));
    assert_eq!(body["job"]["request_id"], answer.header("x-request-id"));

    let job = app.until(id, "succeeded").await;
    assert_eq!((&job["kind"], &job["trigger"]), (&"backup".into(), &"request".into()));
    assert_eq!((&job["created_by"], &job["cancellable"]), (&"system".into(), &false.into()));
    assert_eq!(job["result"]["backup_info"]["description"], "Nightly");
    assert!(job["problem"].is_null() && job["started_at"].is_string());
    let listed = app.get("/api/jobs").await.ok();
    assert_eq!(listed["jobs"][0]["job_id"], id);
    assert!(listed["jobs"][0]["result"].is_null(), "lists come without results");
    assert_eq!(app.get("/api/backups").await.ok()["count"], 1);
}

#[tokio::test]
async fn a_running_job_is_cancelled_and_leaves_nothing_in_the_database() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let held = hold(&database, EXCLUSIVE).await;
    let id = app.start("POST", "/api/backup").await;
    crate::faults::running::until_it_waits_for_a_table(&database).await;
    assert_eq!(app.job(&id).await["cancellable"], true);
    let job = app.post(&format!("/api/jobs/{id}/cancel")).await.ok()["job"].clone();
    assert_eq!(job["state"], "cancelled");
    assert_eq!(job["problem"]["code"], "cancelled");
    assert_eq!(sessions(&database).await, "0");
    app.post(&format!("/api/jobs/{id}/cancel")).await.problem(409, "not_cancellable");
    drop(held);
    assert_eq!(app.get("/api/backups").await.ok()["count"], 0);
    app.backup().await;
}

#[tokio::test]
async fn a_commit_that_is_under_way_cannot_be_called_back() {
    let database = sample_database().await;
    let relay = Relay::to(&database, Fault::HoldUpCommit).await;
    let app = App::with(Some(relay.url.clone()), Settings::default()).await;
    let backup = app.backup().await;
    let associations = "SELECT count(*) FROM vpc_prefix_association";
    let before = database.value(associations).await;
    database.sql("DELETE FROM vpc_prefix_association").await;
    let id = app.start("POST", &format!("/api/restore/{backup}")).await;
    until("a commit", async || relay.struck() > 0).await;
    let told = app.post(&format!("/api/jobs/{id}/cancel")).await.problem(409, "not_cancellable");
    assert!(told["detail"].as_str().expect("words").contains("being committed"), "{told}");
    assert_eq!(app.job(&id).await["state"], "running");
    drop(relay);
    let job = app.until(&id, "succeeded").await;
    assert_eq!(job["result"]["restore_results"]["proven"], true);
    assert_eq!(database.value(associations).await, before);
}

#[tokio::test]
async fn who_waits_for_a_job_that_is_cancelled_is_told_so() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let _held = hold(&database, EXCLUSIVE).await;
    let waiting = app.post("/api/backup");
    let cancelling = async {
        crate::faults::running::until_it_waits_for_a_table(&database).await;
        let jobs = app.get("/api/jobs").await.ok();
        let id = jobs["jobs"][0]["job_id"].as_str().expect("an id").to_owned();
        app.post(&format!("/api/jobs/{id}/cancel")).await.ok()
    };
    let (waited, _) = tokio::join!(waiting, cancelling);
    waited.problem(409, "cancelled");
}

#[tokio::test]
async fn backups_wait_for_each_other_and_a_waiting_one_is_cancelled_at_once() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let held = hold(&database, EXCLUSIVE).await;
    let first = app.start("POST", "/api/backup").await;
    let second = app.start("POST", "/api/backup").await;
    let third = app.start("POST", "/api/backup").await;
    crate::faults::running::until_it_waits_for_a_table(&database).await;
    assert_eq!(app.job(&second).await["state"], "queued");
    app.post(&format!("/api/jobs/{second}/cancel")).await.ok();
    assert_eq!(app.job(&second).await["state"], "cancelled");
    drop(held);
    app.until(&first, "succeeded").await;
    app.until(&third, "succeeded").await;
    assert_eq!(app.get("/api/backups").await.ok()["count"], 2);
}

#[tokio::test]
async fn a_restore_waits_for_a_backup_and_a_second_restore_or_a_cleanup_is_refused_meanwhile() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let id = app.backup().await;
    let held = hold(&database, EXCLUSIVE).await;
    let backup = app.start("POST", "/api/backup").await;
    let restore = app.start("POST", &format!("/api/restore/{id}")).await;
    let busy = app.post(&format!("/api/restore/{id}")).await.problem(409, "busy");
    assert!(busy["detail"].as_str().expect("words").contains(&restore), "names the job: {busy}");
    app.post("/api/cleanup").await.problem(409, "busy");
    app.delete(&format!("/api/backup/{id}")).await.problem(409, "busy");
    assert_eq!(app.job(&restore).await["state"], "queued");
    // Who only looks is not refused.
    app.post("/api/cleanup?dry_run=true").await.ok();
    drop(held);
    app.until(&backup, "succeeded").await;
    app.until(&restore, "succeeded").await;
    app.delete(&format!("/api/backup/{id}")).await.ok();
}

#[tokio::test]
async fn a_job_that_fails_says_why_and_the_next_one_begins() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    database.sql("ALTER TABLE prefix RENAME TO prefixes").await;
    let id = app.start("POST", "/api/backup").await;
    let job = app.until(&id, "failed").await;
    assert!(job["problem"]["detail"].as_str().expect("words").contains("prefix"), "{job}");
    database.sql("ALTER TABLE prefixes RENAME TO prefix").await;
    app.backup().await;
}

#[tokio::test]
async fn jobs_are_remembered_over_a_restart() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let id = app.start("POST", "/api/backup").await;
    let before = app.until(&id, "succeeded").await;
    app.service.shut_down(std::time::Duration::from_mins(1)).await;
    app.post("/api/backup").await.problem(503, "shutting_down");
    let (engine, state) = (app.service.engine.clone(), app.folder.path().join("state"));
    drop((app.service, app.router));

    let state = StateFolder::open(&state).expect("it is free again");
    let again = Service::start(engine, state).await.expect("it starts");
    let job = again.jobs.find(id.parse().expect("an id")).expect("remembered");
    assert_eq!(serde_json::to_value(Job::from(job)).expect("plain data"), before);
}

#[tokio::test]
async fn a_shutdown_ends_what_does_not_end_by_itself_in_time() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let _held = hold(&database, EXCLUSIVE).await;
    let running = app.start("POST", "/api/backup").await;
    let waiting = app.start("POST", "/api/backup").await;
    crate::faults::running::until_it_waits_for_a_table(&database).await;
    app.service.shut_down(std::time::Duration::from_millis(1)).await;
    for id in [running, waiting] {
        let job = app.job(&id).await;
        assert_eq!(
            (&job["state"], &job["problem"]["code"]),
            (&"interrupted".into(), &"interrupted".into())
        );
    }
    assert_eq!(sessions(&database).await, "0");
}
