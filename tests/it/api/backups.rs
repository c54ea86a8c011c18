//! `/api/backup`, `/api/backups`: the documented bodies.

use serde_json::Value;

use crate::support::app::App;
use crate::support::sample_database;

pub fn keys(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// The documented keys of the metadata.
const METADATA: [&str; 8] = [
    "backup_id",
    "timestamp",
    "description",
    "created_by",
    "backup_type",
    "status",
    "restore_tested",
    "files",
];

#[tokio::test]
async fn a_backup_is_made_and_answered_with_the_documented_body() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let body = app.post("/api/backup?description=Before%20major%20update").await.ok();
    assert_eq!(keys(&body), ["status", "message", "backup_id", "backup_info", "timestamp"]);
    let info = &body["backup_info"];
    assert_eq!((&body["status"], &info["status"]), (&"success".into(), &"completed".into()));
    assert_eq!(info["description"], "Before major update");
    assert_eq!(info["created_by"], "system");
    assert_eq!(keys(&info["files"]), ["vrfs", "prefixes", "vpcs", "public_ips"]);
    for key in METADATA {
        assert!(info.get(key).is_some(), "{key}");
    }
    // Nobody names another as the author.
    let named = app.post("/api/backup?created_by=carol").await.ok();
    assert_eq!(named["backup_info"]["created_by"], "system");
}

#[tokio::test]
async fn the_list_and_the_details_are_the_documented_bodies() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let (first, second) = (app.backup().await, app.backup().await);
    let list = app.get("/api/backups").await.ok();
    assert_eq!(keys(&list), ["status", "backups", "count"]);
    assert_eq!(list["count"], 2);
    assert_eq!(list["backups"][0]["backup_id"], second.as_str(), "newest first");
    let listed = &list["backups"][1];
    for key in METADATA.into_iter().chain(["backup_path", "size", "age_days"]) {
        assert!(listed.get(key).is_some(), "{key}");
    }

    let details = app.get(&format!("/api/backup/{first}")).await.ok();
    assert_eq!(keys(&details), ["status", "backup_info"]);
    let info = &details["backup_info"];
    for key in METADATA.into_iter().chain(["files_info", "total_size", "age_days"]) {
        assert!(info.get(key).is_some(), "{key}");
    }
    let files = info["files_info"].as_array().expect("four files");
    assert_eq!((files.len(), keys(&files[0])), (4, vec!["name", "size", "modified"]));
}

#[tokio::test]
async fn the_sizes_of_the_files_are_those_of_the_downloads() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let id = app.backup().await;
    for _ in ["measured", "remembered"] {
        let details = app.get(&format!("/api/backup/{id}")).await.ok();
        let mut total = 0;
        for file in details["backup_info"]["files_info"].as_array().expect("four files") {
            let name = file["name"].as_str().expect("a name");
            let files = details["backup_info"]["files"].as_object().expect("by dataset");
            let dataset = files.iter().find(|(_, file)| *file == name).expect("of a dataset").0;
            let download = app.get(&format!("/api/backup/{id}/files/{dataset}")).await;
            assert_eq!(file["size"], download.bytes.len(), "{name}");
            total += download.bytes.len();
        }
        assert_eq!(details["backup_info"]["total_size"], total);
    }
}

#[tokio::test]
async fn documented_calls_take_unknown_parameters_and_a_slash_at_the_end() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let id = app.post("/api/backup/?_=1700000000&user=carol").await.ok();
    let id = id["backup_id"].as_str().expect("an id");
    app.get("/api/backups/?page=1").await.ok();
    app.get(&format!("/api/backup/{id}/?verbose=yes")).await.ok();
    app.post(&format!("/api/restore/{id}/?_=1")).await.ok();
    app.delete(&format!("/api/backup/{id}/?_=1")).await.ok();
}

#[tokio::test]
async fn a_backup_is_deleted_and_a_dry_run_deletes_nothing() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let id = app.backup().await;
    let path = format!("/api/backup/{id}");
    let would = app.delete(&format!("{path}?dry_run=true")).await.ok();
    assert_eq!((&would["status"], &would["dry_run"]), (&"success".into(), &true.into()));
    assert!(would["freed"]["bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{would}");
    // A mistyped wish must not pass for none.
    app.delete(&format!("{path}?dryrun=true")).await.problem(400, "malformed_request");
    app.get(&path).await.ok();

    let deleted = app.delete(&path).await.ok();
    assert_eq!(deleted["status"], "success");
    assert_eq!(deleted["message"], format!("Backup {id} deleted"));
    assert_eq!(deleted["dry_run"], false);
    app.get(&path).await.problem(404, "no_such_backup");
    app.delete(&path).await.problem(404, "no_such_backup");
    assert_eq!(app.get("/api/backups").await.ok()["count"], 0);
}

#[tokio::test]
async fn the_documented_calls_ignore_unknown_parameters_and_take_a_slash_at_the_end() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    for path in ["/api/backup?verbose=1", "/api/backup/", "/api/backup/?description=x&y=2"] {
        app.post(path).await.ok();
    }
    let list = app.get("/api/backups/?page=1").await.ok();
    assert_eq!(list["count"], 3);
    let id = list["backups"][0]["backup_id"].as_str().expect("an id");
    for path in [format!("/api/backup/{id}/"), format!("/api/backup/{id}?full=yes")] {
        assert_eq!(app.get(&path).await.ok()["backup_info"]["backup_id"], id);
    }
    app.post(&format!("/api/restore/{id}/?force=true")).await.ok();
    // What looks like a known one is not ignored.
    for wrong in ["safetyBackup=false", "SAFETY-BACKUP=false", "Dataset=vrfs"] {
        let path = format!("/api/restore/{id}?{wrong}");
        app.post(&path).await.problem(400, "malformed_request");
    }
    app.delete(&format!("/api/backup/{id}/?reason=old")).await.ok();
    app.get(&format!("/api/backup/{id}")).await.problem(404, "no_such_backup");
    app.get("/api/statistics/").await.problem(404, "no_such_call");
}

#[tokio::test]
async fn words_that_are_too_long_or_no_words_are_refused() {
    let app = App::with(None, ipam_rewind::api::Settings::default()).await;
    let long = format!("/api/backup?description={}", "x".repeat(1001));
    app.post(&long).await.problem(400, "malformed_request");
    for hidden in ["%0A", "%1B%5B2J", "%E2%80%AE", "%E2%81%A6", "%E2%80%8B", "%EF%BB%BF"] {
        let path = format!("/api/backup?description=a{hidden}b");
        app.post(&path).await.problem(400, "malformed_request");
    }
}
