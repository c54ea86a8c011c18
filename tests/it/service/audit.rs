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
async fn log_without_reads_lists_what_was_changed_however_much_was_read() {
    let database = database().await;
    let program = Program::on(&database);
    let serving = Serving::start(&program, &[]);
    let made = ok(serving.post("/api/backup")).await;
    let id = made["backup_id"].as_str().expect("an id");
    for _ in 0..6 {
        let path = format!("/api/backup/{id}/files/vrfs");
        serving.get(&path).send().await.expect("it answers").bytes().await.expect("all");
    }
    ok(serving.post(&format!("/api/preview/{id}"))).await;
    ok(serving.post("/api/cleanup?keep=1&dry_run=true")).await;
    let log = serving.json("/api/audit?reads=false&limit=5").await;
    let actions: Vec<_> =
        log["entries"].as_array().expect("a list").iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["POST /api/backup", "backup"], "{log}");
    assert!(serving.json("/api/audit?limit=5").await.to_string().contains("GET /api/backup/"));
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
    let cleanup = |entry: &&&Value| entry["action"] == "cleanup" && entry["who"] == "system";
    assert_eq!(actions.iter().filter(cleanup).count(), 1, "{log}");
}

#[tokio::test]
async fn every_way_that_hands_out_rows_has_an_entry() {
    let database = database().await;
    let program = Program::on(&database);
    let token =
        |name, role| program.ok(&["token", "create", name, "--role", role]).trim().to_owned();
    let (viewer, robot) = (token("viewer", "viewer"), token("robot", "operator"));
    let boss = token("boss", "admin");
    let serving = Serving::start(&program, &[]);
    let made = ok(serving.post("/api/backup").bearer_auth(&robot)).await;
    let first = made["backup_id"].as_str().expect("an id").to_owned();
    database.sql("INSERT INTO vrf VALUES ('lab')").await;
    let made = ok(serving.post("/api/backup").bearer_auth(&robot)).await;
    let second = made["backup_id"].as_str().expect("an id").to_owned();
    let both = format!("{first} {second}");
    let (diff, file) = ("/api/diff/{from}/{to}", "/api/backup/{backup_id}/files/{dataset}");
    let vrfs = format!("{first} vrfs");
    let ways = [
        (format!("/api/diff/{first}/{second}"), diff, both.as_str(), None),
        (format!("/api/diff/{first}/{second}?format=csv"), diff, &both, Some("?format=csv")),
        (format!("/api/diff/{first}/{second}?format=json"), diff, &both, Some("?format=json")),
        ("/api/history/vrf/lab".into(), "/api/history/{table}/{key}", "vrf lab", None),
        (format!("/api/backup/{first}/files/vrfs"), file, &vrfs, None),
        (format!("/api/backup/{first}/archive"), "/api/backup/{backup_id}/archive", &first, None),
    ];
    for (path, route, target, detail) in &ways {
        let answer = serving.get(path).bearer_auth(&viewer).send().await.expect("it answers");
        assert_eq!(answer.status(), 200, "{path}");
        answer.bytes().await.expect("all of it");
        let entry = &entries(&serving, &boss, &format!("GET {route}")).await[0];
        assert_eq!((&entry["who"], &entry["target"]), (&"viewer".into(), &(*target).into()));
        assert_eq!(entry["detail"].as_str(), *detail, "{entry}");
    }
    let preview = serving.post(&format!("/api/preview/{first}")).bearer_auth(&robot);
    let job = ok(preview.header("prefer", "respond-async")).await["job"]["job_id"].clone();
    let path = format!("/api/jobs/{}", job.as_str().expect("an id"));
    until("the preview", async || {
        let job = ok(serving.get(&path).bearer_auth(&viewer)).await["job"].clone();
        job["state"] == "succeeded"
    })
    .await;
    let asked = entries(&serving, &boss, "POST /api/preview/{backup_id}").await;
    assert_eq!((&asked[0]["who"], &asked[0]["target"]), (&"robot".into(), &first.into()));
    let entry = &entries(&serving, &boss, "GET /api/jobs/{job_id}").await[0];
    assert_eq!((&entry["who"], &entry["target"]), (&"viewer".into(), &job));
    // A call that hands out no rows leaves the log alone.
    ok(serving.get("/api/backups").bearer_auth(&viewer)).await;
    assert!(entries(&serving, &boss, "GET /api/backups").await.is_empty());
}

#[tokio::test]
async fn the_author_is_who_asks_whatever_a_request_or_an_archive_says() {
    let database = database().await;
    let program = Program::on(&database);
    let boss = program.ok(&["token", "create", "boss", "--role", "admin"]).trim().to_owned();
    let serving = Serving::start(&program, &[]);
    let author = async |id: &str| {
        let path = format!("/api/backup/{id}");
        ok(serving.get(&path).bearer_auth(&boss)).await["backup_info"].clone()
    };
    let made = ok(serving.post("/api/backup?created_by=carol").bearer_auth(&boss)).await;
    let id = made["backup_id"].as_str().expect("an id").to_owned();
    assert_eq!(author(&id).await["created_by"], "boss");
    let body = r#"{"created_by": "carol"}"#;
    let edit = serving.request("PATCH", &format!("/api/backup/{id}")).bearer_auth(&boss).body(body);
    assert_eq!(refused(edit.header("content-type", "application/json")).await.0, 400);
    database.sql("INSERT INTO vrf VALUES ('lab')").await;
    let restore = serving.post(&format!("/api/restore/{id}")).bearer_auth(&boss);
    let restored = ok(restore).await["restore_results"]["safety_backup"].clone();
    assert_eq!(author(restored.as_str().expect("an id")).await["created_by"], "boss");

    // An archive that names boss, imported by others.
    let file = tempfile::NamedTempFile::new().expect("a file");
    let place = file.path().to_str().expect("text");
    program.ok(&["export", &id, "--output", place]);
    let imported = Program::on(&database).json(&["import", place]);
    let info = &imported["backup_info"];
    assert_eq!(info["created_by"], "system");
    assert_eq!(info["labels"]["archive/created_by"], "boss", "what it says is kept");
    let eve = program.ok(&["token", "create", "eve", "--role", "admin"]).trim().to_owned();
    ok(serving.request("DELETE", &format!("/api/backup/{id}")).bearer_auth(&eve)).await;
    let archive = std::fs::read(file.path()).expect("read");
    let import = serving.post("/api/import").header("content-type", "application/x-tar");
    let imported = ok(import.bearer_auth(&eve).body(archive)).await;
    assert_eq!(imported["backup_info"]["created_by"], "eve");
    assert_eq!(imported["backup_info"]["labels"]["archive/created_by"], "boss");
}
