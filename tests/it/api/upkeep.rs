//! `/api/verify`, `/api/cleanup`, `/api/statistics`; archives out and in; annotations.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use futures::{StreamExt, stream};
use ipam_rewind::api::Settings;

use crate::support::app::App;
use crate::support::{database, sample_database};

fn upload(kind: &str, bytes: Vec<u8>) -> Request<Body> {
    Request::post("/api/import").header("content-type", kind).body(bytes.into()).expect("a request")
}

#[tokio::test]
async fn a_verification_of_some_or_of_all_finds_everything_right() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let (first, second) = (app.backup().await, app.backup().await);
    let one = app.post_json("/api/verify", &format!(r#"{{"backups": ["{first}"]}}"#)).await.ok();
    assert_eq!(one["status"], "success");
    assert_eq!(one["backups"].as_array().map(Vec::len), Some(1));
    let all = app.post_json("/api/verify", "{}").await.ok();
    assert_eq!(all["backups"][1]["backup_id"], second.as_str());
    let unknown = r#"{"backups": ["20250101_000000"]}"#;
    app.post_json("/api/verify", unknown).await.problem(404, "no_such_backup");
}

#[tokio::test]
async fn a_cleanup_is_previewed_and_then_does_what_it_said() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    for _ in 0..3 {
        app.backup().await;
    }
    let would = app.post("/api/cleanup?keep=1&dry_run=true").await.ok();
    assert_eq!(
        (&would["dry_run"], would["deleted"].as_array().map(Vec::len)),
        (&true.into(), Some(2))
    );
    assert_eq!(app.get("/api/backups").await.ok()["count"], 3);
    let did = app.post("/api/cleanup?keep=1").await.ok();
    assert_eq!(did["deleted"], would["deleted"]);
    assert_eq!(app.get("/api/backups").await.ok()["count"], 1);
}

#[tokio::test]
async fn what_backups_would_free_is_together_what_the_cleanup_would() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    for turn in 0..4 {
        // Nothing of it resembles what was there before.
        let sql = format!(
            "UPDATE vrf SET description = (SELECT string_agg(md5(vrf_id || n || {turn}), '')
               FROM generate_series(1, 2000) n)"
        );
        database.sql(&sql).await;
        app.backup().await;
    }
    for keep in [1, 2, 3] {
        let would = app.post(&format!("/api/cleanup?keep={keep}&dry_run=true")).await.ok();
        let frees = would["frees"].as_object().expect("shares");
        let gone = would["deleted"].as_array().expect("a list");
        assert_eq!(frees.len(), gone.len());
        assert!(gone.iter().all(|one| frees.contains_key(one["backup_id"].as_str().expect("id"))));
        let sum: u64 = frees.values().map(|bytes| bytes.as_u64().expect("bytes")).sum();
        assert_eq!(would["freed"]["bytes"], sum, "{would}");
        assert!(sum > 0);
    }
}

#[tokio::test]
async fn cleanup_keeps_the_way_back_from_the_last_restore_whatever_the_rules_say() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let id = app.backup().await;
    let mut safety = Vec::new();
    for turn in 0..2 {
        database.sql(&format!("UPDATE vrf SET description = '{turn}'")).await;
        let done = app.post(&format!("/api/restore/{id}")).await.ok();
        let kept = done["restore_results"]["safety_backup"].as_str().expect("an id").to_owned();
        safety.push(kept);
    }
    let kept = app.post("/api/cleanup?keep=1&dry_run=true").await.ok()["kept"][0].clone();
    assert_eq!(kept["kept_because"], serde_json::json!(["pre-restore", "newest-good", "undo"]));
    let path = "/api/cleanup?keep=1&keep_pre_restore=0h";
    let did = app.post(path).await.ok();
    assert_eq!(did["deleted"][0]["backup_id"], safety[0].as_str());
    let because = serde_json::json!(["pre-restore", "newest-good", "undo"]);
    assert_eq!(did["kept"][0]["backup_id"], safety[1].as_str());
    assert_eq!(did["kept"][0]["kept_because"], because, "{did}");
    assert_eq!(did["kept"][1]["backup_id"], id.as_str());
}

#[tokio::test]
async fn live_rows_are_known_by_the_last_time_that_they_were_read() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let live = async || app.get("/api/live").await.ok();
    assert_eq!(live().await["last_read"], serde_json::Value::Null);
    let first = app.backup().await;
    database.sql("UPDATE vrf SET description = 'bad' WHERE vrf_id = 'prod-vrf'").await;
    let second = app.backup().await;
    let known = async |reference: &str, backup: &str, rows: u64| {
        let known = live().await;
        assert_eq!(known["reference"], reference, "{known}");
        assert_eq!(known["last_read"]["backup_id"], backup, "{known}");
        assert_eq!(known["last_read"]["counts"]["changed"], rows, "{known}");
    };
    known(&second, &second, 0).await;
    app.post(&format!("/api/preview/{first}")).await.ok();
    known(&second, &first, 1).await;
    app.post(&format!("/api/restore/{first}")).await.ok();
    known(&first, &first, 0).await;
    let protection = app.get("/api/health").await.ok()["protection"].clone();
    let sentence = protection["sentence"].as_str().expect("words").to_owned();
    assert!(sentence.starts_with("Restored just now to the backup made "), "{sentence}");
    database.sql("UPDATE vrf SET description = 'new' WHERE vrf_id = 'prod-vrf'").await;
    app.get(&format!("/api/diff/live/{first}")).await.ok();
    known(&first, &first, 1).await;
    let protection = app.get("/api/health").await.ok()["protection"].clone();
    assert_eq!(protection["cause"], "live_differs", "{protection}");
    assert_eq!(protection["level"], "notice");
    // A part of a restore leaves the rest as it is.
    app.post(&format!("/api/restore/{second}?dataset=vpcs")).await.ok();
    assert_eq!(live().await["last_read"], serde_json::Value::Null);
    assert_eq!(live().await["reference"], first.as_str());
}

#[tokio::test]
async fn the_statistics_tell_the_store_and_its_disk() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    app.backup().await;
    let body = app.get("/api/statistics").await.ok();
    assert_eq!((&body["backups"], body["costs"].as_array().map(Vec::len)), (&1.into(), Some(1)));
    assert!(body["disk"]["total_bytes"].as_u64() > body["disk"]["available_bytes"].as_u64());
}

#[tokio::test]
async fn an_archive_goes_out_and_comes_in_as_the_same_backup() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let id = app.backup().await;
    let archive = app.get(&format!("/api/backup/{id}/archive")).await;
    assert_eq!(archive.header("content-type"), "application/x-tar");
    assert!(archive.header("content-disposition").contains(&id));
    let roots = app.get(&format!("/api/backup/{id}")).await.ok()["backup_info"]["datasets"].clone();

    let elsewhere = App::with(None, Settings::default()).await;
    let body = elsewhere.call(upload("application/x-tar", archive.bytes.clone())).await.ok();
    assert_eq!((&body["status"], &body["backup_id"]), (&"success".into(), &id.as_str().into()));
    assert_eq!(body["backup_info"]["datasets"], roots);
    assert!(body["notes"].is_array());
    let again = elsewhere.call(upload("application/octet-stream", archive.bytes)).await.ok();
    assert_ne!(again["backup_id"], id.as_str(), "two backups never share an id");
}

#[tokio::test]
async fn what_is_no_archive_or_too_large_is_refused() {
    let small = Settings { largest_upload: 1000, ..Settings::default() };
    let app = App::with(None, small).await;
    let wrong = upload("application/x-tar", b"nonsense".repeat(100));
    app.call(wrong).await.problem(422, "malformed_archive");
    app.call(upload("application/json", b"{}".to_vec()))
        .await
        .problem(415, "unsupported_media_type");
    app.call(upload("application/x-tar", vec![0; 1001])).await.problem(413, "too_large");
    assert_eq!(app.get("/api/backups").await.ok()["count"], 0);
}

#[tokio::test]
async fn an_upload_that_stands_still_is_given_up() {
    let settings = Settings { standstill: Duration::from_millis(50), ..Settings::default() };
    let app = App::with(None, settings).await;
    let begun = stream::iter([Ok::<_, Infallible>(vec![0_u8; 512])]);
    let body = Body::from_stream(begun.chain(stream::pending()));
    let request = Request::post("/api/import").header("content-type", "application/x-tar");
    let answer = app.call(request.body(body).expect("a request")).await;
    answer.problem(503, "timed_out");
    assert_eq!(app.get("/api/jobs").await.ok()["jobs"].as_array().map(Vec::len), Some(0));
}

#[tokio::test]
async fn a_dataset_file_is_a_download() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let id = app.backup().await;
    let file = app.get(&format!("/api/backup/{id}/files/vrfs")).await;
    let name = format!("attachment; filename=\"vrfs_export_{id}.json\"");
    assert_eq!(file.header("content-disposition"), name);
    let body = file.ok();
    assert_eq!(body["export_info"]["count"], 10);
    assert_eq!(body["vrfs"].as_array().map(Vec::len), Some(10));
    app.get(&format!("/api/backup/{id}/files/ips")).await.problem(400, "malformed_request");

    // The safety backup of a restore also has the records that the restore removed.
    let undone = "UPDATE vrf SET description = 'undone';
        INSERT INTO idempotency_record (request_id, created_at) VALUES ('late', now())";
    database.sql(undone).await;
    let restored = app.post(&format!("/api/restore/{id}")).await.ok();
    let safety = &restored["restore_results"]["safety_backup"];
    let safety = safety.as_str().expect("a safety backup");
    let file = app.get(&format!("/api/backup/{safety}/files/idempotency_records")).await;
    let name = format!("attachment; filename=\"idempotency_records_export_{safety}.json\"");
    assert_eq!(file.header("content-disposition"), name);
    assert_eq!(file.ok()["idempotency_records"][0]["request_id"], "late");
}

#[tokio::test]
async fn description_pin_and_labels_are_changed_and_what_is_not_given_stays() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let id = app.backup().await;
    let patch = async |body: &str| {
        let request = Request::patch(format!("/api/backup/{id}"));
        let request = request.header("content-type", "application/json");
        app.call(request.body(body.to_owned().into()).expect("a request")).await
    };
    patch(r#"{"description": "Known good", "labels": {"change": "CHG-1"}}"#).await.ok();
    let info = patch(r#"{"pinned": true}"#).await.ok()["backup_info"].clone();
    assert_eq!((&info["description"], &info["pinned"]), (&"Known good".into(), &true.into()));
    assert_eq!(info["labels"], serde_json::json!({"change": "CHG-1"}));
    patch(r#"{"pined": true}"#).await.problem(400, "malformed_request");
    patch(r#"{"description": ""}"#).await.problem(400, "malformed_request");
    assert_eq!(app.post("/api/cleanup?keep=0").await.ok()["kept"][0]["backup_id"], id.as_str());
}

#[tokio::test]
async fn tar_of_an_older_backup_is_imported_in_the_zone_that_is_named() {
    let database = database().await;
    let app = App::on(&database).await;
    let folder = crate::archive::application::Files::small().write();
    let mut tar = std::process::Command::new("tar");
    let tar = tar.arg("-C").arg(folder.path()).args(["-cf", "-", "."]).output();
    let bytes = tar.expect("tar runs").stdout;
    let post = |query: &str| {
        Request::post(format!("/api/import{query}"))
            .header("content-type", "application/x-tar")
            .body(bytes.clone().into())
            .expect("a request")
    };
    app.call(post("?time_zone=Mars")).await.problem(400, "malformed_request");
    let imported = app.call(post("?time_zone=Europe/Berlin")).await.ok();
    assert_eq!(imported["backup_id"], "20240611_061500");
    let info = &imported["backup_info"];
    assert_eq!(info["missing_tables"][0]["reason"], "not covered");
    let again = app.call(post("?time_zone=Europe/Berlin")).await.ok();
    assert_eq!(again["backup_id"], "20240611_061500");
}
