//! Whatever fails is a problem document that tells nothing about the host.

use axum::http::Request;
use ipam_rewind::api::Settings;

use crate::support::app::{App, request};

async fn app() -> App {
    App::with(None, Settings::default()).await
}

#[tokio::test]
async fn ids_are_refused_as_malformed_or_as_unknown() {
    let app = app().await;
    for id in ["nonsense", "20250230_000000", "..%2F..%2Fetc", "%FF"] {
        for path in ["/api/backup", "/api/backup"].map(|path| format!("{path}/{id}")) {
            app.get(&path).await.problem(400, "malformed_request");
            app.delete(&path).await.problem(400, "malformed_request");
        }
        app.post(&format!("/api/restore/{id}")).await.problem(400, "malformed_request");
    }
    app.get("/api/backup/20250101_000000").await.problem(404, "no_such_backup");
    app.post("/api/restore/20250101_000000").await.problem(404, "no_such_backup");
    app.post("/api/preview/20250101_000000").await.problem(404, "no_such_backup");
    let unknown = "0b9c3c0e-1f5c-4a51-8d4f-3a6f6d1a7c11";
    app.get(&format!("/api/jobs/{unknown}")).await.problem(404, "no_such_job");
    app.get("/api/jobs/nonsense").await.problem(400, "malformed_request");
}

#[tokio::test]
async fn paths_and_methods_that_are_none_are_problems_too() {
    let app = app().await;
    app.get("/api/nonsense").await.problem(404, "no_such_call");
    app.post("/api/nonsense/more").await.problem(404, "no_such_call");
    let wrong = app.call(request("PUT", "/api/backup/20250101_000000")).await;
    wrong.problem(405, "method_not_allowed");
    let mut allowed: Vec<_> = wrong.header("allow").split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["DELETE", "GET", "HEAD", "PATCH"]);
    app.post("/").await.problem(405, "method_not_allowed");
}

#[tokio::test]
async fn queries_and_bodies_that_make_no_sense_are_refused() {
    let app = app().await;
    app.get("/api/jobs?limit=many").await.problem(400, "malformed_request");
    app.get("/api/jobs?limit=1001").await.problem(400, "malformed_request");
    app.get("/api/jobs?limt=1").await.problem(400, "malformed_request");
    app.post("/api/cleanup?keep_within=soon").await.problem(400, "malformed_request");
    app.post("/api/restore/20250101_000000?dataset=ip").await.problem(400, "malformed_request");
    app.post_json("/api/verify", "{").await.problem(400, "malformed_request");
    app.post_json("/api/verify", r#"{"backups": ["x"]}"#).await.problem(400, "malformed_request");
    app.post("/api/verify").await.problem(415, "unsupported_media_type");
    let large = format!(r#"{{"backups": ["{}"]}}"#, "x".repeat(64 * 1024));
    app.post_json("/api/verify", &large).await.problem(413, "too_large");
    app.get("/api/history/nonsense/1").await.problem(400, "malformed_request");
}

#[tokio::test]
async fn refusal_names_what_is_wrong_without_words_of_the_parser() {
    let app = app().await;
    let said = async |path: &str| {
        let problem = app.post(path).await.problem(400, "malformed_request");
        problem["detail"].as_str().expect("words").to_owned()
    };
    let age = said("/api/cleanup?keep_within=soon").await;
    assert!(age.contains("keep_within: invalid age \"soon\"; an age looks like 36h"), "{age}");
    for path in [
        "/api/cleanup?keep=-1",
        "/api/cleanup?keep=many",
        "/api/cleanup?kep=1",
        "/api/cleanup?keep=1&keep=2",
        "/api/restore/20250101_000000?merge=maybe",
        "/api/restore/20250101_000000?fingerprint=zz",
        "/api/preview/nonsense",
    ] {
        let words = said(path).await;
        let parser = ["deserialize", "Failed", "target type", "Cannot parse"];
        assert!(!parser.iter().any(|of| words.contains(of)), "{path}: {words}");
    }
    for body in ["{", r#"{"backups": 1}"#, r#"{"backups": ["x"]}"#] {
        let problem = app.post_json("/api/verify", body).await.problem(400, "malformed_request");
        let words = problem["detail"].as_str().expect("words");
        assert!(!words.contains("deserialize") && !words.contains("target type"), "{words}");
    }
}

#[tokio::test]
async fn without_a_database_what_needs_one_is_refused_and_the_rest_is_answered() {
    let app = app().await;
    app.post("/api/backup").await.problem(503, "database_unreachable");
    assert_eq!(app.get("/api/backups").await.ok()["count"], 0);
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_out_of_reach_and_its_password_is_not_told() {
    let url = "postgres://prefix_user:geheim@127.0.0.1:1/prefix_management";
    let app = App::with(Some(url.into()), Settings::default()).await;
    let problem = app.post("/api/backup").await.problem(503, "database_unreachable");
    assert!(!problem.to_string().contains("geheim"), "{problem}");
    let jobs = app.get("/api/jobs").await.ok();
    assert_eq!(jobs["jobs"][0]["problem"], problem);
    assert_eq!(app.get("/api/backups").await.ok()["count"], 0);
}

#[tokio::test]
async fn an_inner_failure_tells_no_path_of_the_host() {
    let app = app().await;
    let store = app.folder.path().join("store");
    std::fs::remove_dir_all(&store).expect("removed");
    std::fs::write(&store, "no folder any more").expect("written");
    let problem = app.get("/api/statistics").await.problem(500, "failed");
    let told = problem.to_string();
    assert!(!told.contains(app.folder.path().to_str().expect("text")), "{told}");
}

#[tokio::test]
async fn a_name_that_a_client_gives_a_request_is_kept_if_it_is_plain() {
    let app = app().await;
    let named = |id: &str| {
        let request = Request::get("/api/jobs").header("x-request-id", id);
        request.body(axum::body::Body::empty()).expect("a request")
    };
    assert_eq!(app.call(named("client-7")).await.header("x-request-id"), "client-7");
    for hostile in ["a b", "<script>", &"x".repeat(65)] {
        let answer = app.call(named(hostile)).await;
        assert_eq!(answer.header("x-request-id").len(), 36, "{hostile:?}");
    }
}
