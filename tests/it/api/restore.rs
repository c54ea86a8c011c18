//! `/api/restore`, `/api/preview`

use super::backups::keys;
use crate::support::app::App;
use crate::support::sample_database;

const MISHAP: &str = "UPDATE vrf SET description = 'oops' WHERE vrf_id = 'prod-vrf'";

#[tokio::test]
async fn a_restore_answers_with_the_documented_body_and_can_be_undone() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let id = app.backup().await;
    let before = database.dump().await;
    database.sql(MISHAP).await;
    let wrong = database.dump().await;

    let body = app.post(&format!("/api/restore/{id}")).await.ok();
    assert_eq!(keys(&body), ["status", "message", "backup_id", "restore_results", "timestamp"]);
    let results = &body["restore_results"];
    let vrfs = serde_json::json!({"inserted": 0, "updated": 1, "deleted": 0, "unchanged": 9});
    assert_eq!((&results["vrfs"], &results["proven"]), (&vrfs, &true.into()));
    assert_eq!(database.dump().await["vrf"], before["vrf"]);
    let info = app.get(&format!("/api/backup/{id}")).await.ok()["backup_info"].clone();
    assert_eq!(info["restore_tested"], true);

    let safety = results["safety_backup"].as_str().expect("a safety backup");
    app.post(&format!("/api/restore/{safety}")).await.ok();
    assert_eq!(database.dump().await["vrf"], wrong["vrf"]);
}

#[tokio::test]
async fn a_safety_backup_names_the_backup_that_was_restored_as_people_call_it() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let made = app.post("/api/backup?description=Known%20good").await.ok();
    let id = made["backup_id"].as_str().expect("an id");
    let described = async |safety: &str| {
        let details = app.get(&format!("/api/backup/{safety}")).await.ok();
        details["backup_info"]["description"].as_str().expect("text").to_owned()
    };
    let restored = async |id: &str| {
        let body = app.post(&format!("/api/restore/{id}")).await.ok();
        body["restore_results"]["safety_backup"].as_str().expect("an id").to_owned()
    };
    let first = restored(id).await;
    assert_eq!(described(&first).await, format!("Before restore of {id}: Known good"));
    let renamed = format!(r#"{{"description": "{}"}}"#, "Renamed ".repeat(60).trim());
    let patch = axum::http::Request::patch(format!("/api/backup/{id}"));
    let patch = patch.header("content-type", "application/json").body(renamed.into());
    app.call(patch.expect("a request")).await.ok();
    let second = described(&restored(id).await).await;
    assert!(second.starts_with(&format!("Before restore of {id}: Renamed Renamed")), "{second}");
    assert_eq!(second.chars().count(), 201, "{second}");
    // An undo names what it undoes.
    let undo = described(&restored(&first).await).await;
    assert_eq!(undo, format!("Before restore of {first}: Before restore of {id}: Known good"));
}

#[tokio::test]
async fn a_preview_says_what_a_restore_would_change_and_changes_nothing() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let id = app.backup().await;
    database.sql(MISHAP).await;
    let before = database.dump().await;
    let preview = app.post(&format!("/api/preview/{id}?dataset=vrfs,prefixes&limit=3")).await.ok();
    assert_eq!(preview["datasets"]["vrfs"]["updated"], 1);
    assert_eq!(preview["changes"][0]["key"], "prod-vrf");
    assert!(database.dump().await == before);
}

#[tokio::test]
async fn a_part_can_be_restored_and_the_safety_backup_left_out() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let id = app.backup().await;
    database.sql(MISHAP).await;
    let path = format!("/api/restore/{id}?dataset=vpcs&safety_backup=false");
    let body = app.post(&path).await.ok();
    assert_eq!(body["restore_results"]["vrfs"]["updated"], 0);
    assert!(body["restore_results"]["safety_backup"].is_null());
    assert_eq!(app.get("/api/backups").await.ok()["count"], 1);
}

#[tokio::test]
async fn a_damaged_backup_is_refused_with_what_is_damaged() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let id = app.backup().await;
    let before = database.dump().await;
    app.damage();
    let problem = app.post(&format!("/api/restore/{id}")).await.problem(422, "damaged");
    assert!(!problem["problems"].as_array().expect("what is damaged").is_empty());
    let told = problem.to_string();
    assert!(
        !told.contains(app.folder.path().to_str().expect("text")),
        "a path of the host: {told}"
    );
    assert!(database.dump().await == before);
    let found = app.post_json("/api/verify", "{}").await.ok();
    assert_eq!(found["status"], "damaged");
    assert_eq!(app.get("/api/backups").await.ok()["backups"][0]["status"], "corrupt");
}

#[tokio::test]
async fn merge_keeps_rows_that_the_backup_does_not_have() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let id = app.backup().await;
    database.sql(MISHAP).await;
    database.sql("INSERT INTO vrf (vrf_id) VALUES ('new')").await;
    let preview = app.post(&format!("/api/preview/{id}?merge=true")).await.ok();
    let vrfs = serde_json::json!({"inserted": 0, "updated": 1, "deleted": 0, "unchanged": 10});
    assert_eq!(preview["datasets"]["vrfs"], vrfs);
    let body = app.post(&format!("/api/restore/{id}?merge=true")).await.ok();
    assert_eq!(body["restore_results"]["vrfs"], vrfs);
    assert_eq!(body["restore_results"]["proven"], true);
    assert!(body["restore_results"]["safety_backup"].is_string());
    assert_eq!(database.value("SELECT count(*) FROM vrf WHERE vrf_id = 'new'").await, "1");
}

#[tokio::test]
async fn restore_bound_to_a_preview_is_refused_once_live_has_changed() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let id = app.backup().await;
    database.sql(MISHAP).await;
    let seen = async |path: String| {
        let preview = app.post(&path).await.ok();
        assert!(preview["as_of"].as_str().expect("a time").ends_with('Z'), "{preview}");
        preview["fingerprint"].as_str().expect("a fingerprint").to_owned()
    };
    let first = seen(format!("/api/preview/{id}")).await;
    assert_eq!(seen(format!("/api/preview/{id}?dataset=vrfs&merge=true")).await, first);

    // Any row, of whatever dataset, by whomever.
    database.sql("UPDATE vpc SET tags = tags || '{\"seen\": \"1\"}'").await;
    let before = database.dump().await;
    for part in ["", "&dataset=vrfs", "&merge=true", "&safety_backup=false"] {
        let path = format!("/api/restore/{id}?fingerprint={first}{part}");
        app.post(&path).await.problem(409, "changed_since_preview");
    }
    assert!(database.dump().await == before);
    assert_eq!(app.get("/api/backups").await.ok()["count"], 1, "no safety backup is left");

    let second = seen(format!("/api/preview/{id}")).await;
    assert_ne!(second, first);
    app.post(&format!("/api/restore/{id}?fingerprint={second}")).await.ok();
    app.post(&format!("/api/restore/{id}?fingerprint=1")).await.problem(400, "malformed_request");
}

#[tokio::test]
async fn fingerprint_follows_a_table_that_was_altered() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let id = app.backup().await;
    let path = format!("/api/preview/{id}?allow_schema_drift=true");
    let before = app.post(&path).await.ok()["fingerprint"].clone();
    database.sql("ALTER TABLE vrf ADD COLUMN note text").await;
    assert_ne!(app.post(&path).await.ok()["fingerprint"], before);
}

#[tokio::test]
async fn scopes_of_a_backup_can_be_listed_and_searched() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    database.sql("INSERT INTO vrf VALUES ('lab', 'Rack 12, Oslo'), ('lost', NULL)").await;
    let id = app.backup().await;
    database.sql("DELETE FROM vrf WHERE vrf_id IN ('lab', 'lost')").await;
    let values = async |query: &str| {
        let path = format!("/api/backup/{id}/scopes/vrf{query}");
        app.get(&path).await.ok()["values"].as_array().expect("values").clone()
    };
    let all: usize =
        database.value("SELECT count(*) + 2 FROM vrf").await.parse().expect("a number");
    assert_eq!(values("").await.len(), all);
    assert_eq!(values("?limit=2").await.len(), 2);
    let oslo = serde_json::json!([{"value": "lab", "about": "Rack 12, Oslo"}]);
    assert_eq!(serde_json::Value::from(values("?q=OSLO").await), oslo);
    assert_eq!(values("?q=LOST").await[0]["about"], "");
    app.get(&format!("/api/backup/{id}/scopes/rack")).await.problem(400, "malformed_request");
}
