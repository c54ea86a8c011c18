//! The audit log: who did what, and who was not let.

use serde_json::Value;

use crate::support::database;
use crate::support::program::Program;
use crate::support::serving::{Serving, ok, refused, until};

/// The entries with this action, newest first.
async fn entries(serving: &Serving, admin: &str, action: &str) -> Vec<Value> {
    let log = ok(serving.get("/api/audit?limit=1000").bearer_auth(admin)).await;
    let entries = log["entries"].as_array().expect("a list").clone();
    entries.into_iter().filter(|entry| entry["action"] == action).collect()
}

#[tokio::test]
async fn who_did_what_and_who_was_not_let_is_written_down() {
    let database = database().await;
    let program = Program::on(&database);
    let token =
        |name, role| program.ok(&["token", "create", name, "--role", role]).trim().to_owned();
    let (robot, boss) = (token("robot", "operator"), token("boss", "admin"));
    let serving = Serving::start(&program, &[]);
    let made = ok(serving.post("/api/backup").bearer_auth(&robot)).await;
    let id = made["backup_id"].as_str().expect("an id");
    let restore = format!("/api/restore/{id}");
    assert_eq!(refused(serving.post(&restore).bearer_auth(&robot)).await.0, 403);
    assert_eq!(refused(serving.post(&restore)).await.0, 401);
    ok(serving.post(&restore).bearer_auth(&boss)).await;

    let asked = &entries(&serving, &boss, "POST /api/backup").await[0];
    assert_eq!((&asked["who"], &asked["role"]), (&"robot".into(), &"operator".into()));
    assert_eq!(asked["outcome"], "succeeded");
    let calls = entries(&serving, &boss, "POST /api/restore/{backup_id}").await;
    let seen: Vec<_> = calls.iter().map(|e| (e["who"].as_str(), e["outcome"].as_str())).collect();
    let refused = Some("refused");
    assert_eq!(
        seen,
        [(Some("boss"), Some("succeeded")), (None, refused), (Some("robot"), refused)]
    );
    assert!(calls.iter().all(|entry| entry["target"] == id));
    assert!(calls[1]["detail"].as_str().is_some_and(|detail| detail.contains("127.0.0.1")));

    until("the entries of the jobs", async || {
        !entries(&serving, &boss, "restore").await.is_empty()
    })
    .await;
    let job = &entries(&serving, &boss, "restore").await[0];
    assert_eq!((&job["who"], &job["outcome"]), (&"boss".into(), &"succeeded".into()));
    assert_eq!(job["request_id"], calls[0]["request_id"], "joined by the request");
    assert!(job["job_id"].is_string());
}

#[tokio::test]
async fn a_flood_of_refusals_does_not_wash_the_log_out() {
    let program = Program::at(None);
    let boss = program.ok(&["token", "create", "boss", "--role", "admin"]).trim().to_owned();
    let serving = Serving::start(&program, &[]);
    for _ in 0..100 {
        serving.get("/api/backups").send().await.expect("it answers");
    }
    let written = entries(&serving, &boss, "GET /api/backups").await.len();
    assert!((20..40).contains(&written), "{written}");
}

#[tokio::test]
async fn what_was_written_survives_the_end_of_the_service() {
    let program = Program::at(None);
    let serving = Serving::start(&program, &[]);
    ok(serving.post("/api/cleanup")).await;
    assert_eq!(serving.stop().await, 0);
    let serving = Serving::start(&program, &[]);
    let log = serving.json("/api/audit").await;
    let actions: Vec<_> = log["entries"].as_array().expect("a list").iter().collect();
    let cleanup = |entry: &&&Value| entry["action"] == "cleanup" && entry["who"] == "local";
    assert_eq!(actions.iter().filter(cleanup).count(), 1, "{log}");
}
