//! What holds for every answer: headers, compression, limits.

use ipam_rewind::api::Settings;

use crate::faults::running::{hold, until_it_waits_for_a_table};
use crate::support::app::{App, request};
use crate::support::sample_database;

#[tokio::test]
async fn every_answer_has_a_name_and_the_headers_that_keep_browsers_safe() {
    let app = App::with(None, Settings::default()).await;
    for path in ["/", "/docs/", "/api/backups", "/api/nonsense", "/api/openapi.json"] {
        let answer = app.get(path).await;
        let policy = answer.header("content-security-policy");
        for rule in ["default-src 'self'", "frame-ancestors 'none'", "object-src 'none'"] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("http") && !policy.contains('*'), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("x-request-id").len(), 36, "{path}");
    }
    assert_eq!(app.get("/api/backups").await.header("cache-control"), "no-store");
}

#[tokio::test]
async fn json_is_compressed_for_who_takes_it_and_archives_and_events_are_not() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let id = app.backup().await;
    let coded = async |path: &str| {
        let mut request = request("GET", path);
        request.headers_mut().insert("accept-encoding", "gzip".parse().expect("a header"));
        app.call(request).await.header("content-encoding").to_owned()
    };
    assert_eq!(coded("/api/backups").await, "gzip");
    assert_eq!(coded("/api/openapi.json").await, "gzip");
    assert_eq!(coded(&format!("/api/backup/{id}/archive")).await, "");
    let job = app.get("/api/jobs").await.ok()["jobs"][0]["job_id"].clone();
    let events = format!("/api/jobs/{}/events", job.as_str().expect("an id"));
    assert_eq!(coded(&events).await, "");
}

#[tokio::test]
async fn more_calls_than_there_is_room_for_are_told_to_come_again() {
    let database = sample_database().await;
    let small = Settings { calls_at_a_time: 1, ..Settings::default() };
    let app = App::with(Some(database.url.clone()), small).await;
    let held = hold(&database, "LOCK TABLE vrf IN ACCESS EXCLUSIVE MODE").await;
    let backup = app.post("/api/backup");
    let other = async {
        until_it_waits_for_a_table(&database).await;
        let answer = app.get("/api/backups").await;
        drop(held);
        answer
    };
    let (backup, other) = tokio::join!(backup, other);
    assert_eq!(other.header("retry-after"), "5");
    other.problem(503, "overloaded");
    backup.ok();
    app.get("/api/backups").await.ok();
}
