//! Health, readiness, metrics, sizes.

use crate::support::database;
use crate::support::program::Program;
use crate::support::serving::{Serving, ok, until};

#[tokio::test]
async fn health_and_readiness_say_whether_the_work_can_be_done() {
    let database = database().await;
    let program = Program::on(&database);
    let serving = Serving::start(&program, &["--schedule", "@hourly", "--verify-within", "7d"]);
    let health = serving.json("/api/health").await;
    assert_eq!(health["status"], "degraded", "there is no backup yet: {health}");
    let checks: Vec<_> = health["checks"].as_object().expect("checks").keys().collect();
    assert_eq!(
        checks,
        [
            "store",
            "database",
            "last_backup",
            "schedule",
            "verification",
            "disk",
            "notices",
            "copy",
            "scratch"
        ]
    );
    assert_eq!(serving.get("/api/ready").send().await.expect("it answers").status(), 200);
    let id = ok(serving.post("/api/backup")).await["backup_id"].clone();
    until("the new backup", async || {
        serving.json("/api/health").await["checks"]["last_backup"]["backup_id"] == id
    })
    .await;
    let last = serving.json("/api/health").await["checks"]["last_backup"].clone();
    assert!(last["age_seconds"].as_i64().is_some_and(|age| (0..60).contains(&age)), "{last}");
}

#[tokio::test]
async fn a_store_that_is_gone_is_said_to_be_gone_and_nothing_is_made_in_its_place() {
    let database = database().await;
    let program = Program::on(&database);
    program.backup();
    let state = tempfile::tempdir().expect("a folder");
    for apart in [false, true] {
        let mut options = vec!["--schedule", "@hourly"];
        let state = state.path().to_str().expect("text");
        if apart {
            options.extend(["--state", state]);
        }
        let serving = Serving::start(&program, &options);
        until("a store", async || {
            serving.json("/api/health").await["checks"]["store"]["ok"] == true
        })
        .await;
        // As a volume that is not mounted any more: the folder is empty, or not there.
        let away = program.store().with_extension("away");
        std::fs::rename(program.store(), &away).expect("moved");
        if apart {
            std::fs::create_dir(program.store()).expect("made");
        }
        until("the loss", async || {
            let health = serving.json("/api/health").await;
            health["checks"]["store"]["ok"] == false
                && health["protection"]["cause"] == "store_unusable"
        })
        .await;
        let refused = serving.post("/api/backup").send().await.expect("an answer");
        assert!(!refused.status().is_success(), "{refused:?}");
        let metrics = serving.get("/metrics").send().await.expect("an answer");
        assert_eq!(metrics.status(), 200);
        assert!(!serving.log().contains("the disk of the store is filling"), "{}", serving.log());
        if apart {
            let made = std::fs::read_dir(program.store()).expect("there").next();
            assert!(made.is_none(), "{made:?}");
            std::fs::remove_dir(program.store()).expect("empty");
        }
        assert!(!program.store().exists(), "nothing is made in its place");
        std::fs::rename(&away, program.store()).expect("moved back");
        until("the store again", async || {
            serving.json("/api/health").await["checks"]["store"]["ok"] == true
        })
        .await;
        drop(serving);
    }
}

#[tokio::test]
async fn a_service_without_its_database_is_alive_but_not_ready() {
    let program = Program::at(Some("postgres://nobody@127.0.0.1:1/nothing".into()));
    let serving = Serving::start(&program, &[]);
    let health = serving.json("/api/health").await;
    assert_eq!(
        (&health["status"], &health["checks"]["database"]["ok"]),
        (&"failing".into(), &false.into())
    );
    assert_eq!(health["checks"]["store"]["ok"], true);
    assert_eq!(serving.get("/api/ready").send().await.expect("it answers").status(), 503);
}

#[tokio::test]
async fn a_service_whose_store_is_gone_is_not_ready() {
    let database = database().await;
    let program = Program::on(&database);
    let state = tempfile::tempdir().expect("a folder");
    let state = state.path().to_str().expect("plain text");
    let serving = Serving::start(&program, &["--state", state]);
    std::fs::remove_dir_all(program.store()).expect("removed");
    std::fs::write(program.store(), "not a folder").expect("written");
    let ready = serving.get("/api/ready").send().await.expect("it answers");
    assert_eq!(ready.status(), 503);
    let body: serde_json::Value = ready.json().await.expect("JSON");
    assert_eq!(body["checks"]["store"]["ok"], false);
}

#[tokio::test]
async fn what_happens_is_counted() {
    let database = database().await;
    let program = Program::on(&database);
    let serving = Serving::start(&program, &[]);
    ok(serving.post("/api/backup")).await;
    serving.get("/api/backup/nonsense").send().await.expect("it answers");
    serving.get("/no/such/page/of/ours.txt").send().await.expect("it answers");
    let wanted = [
        r#"ipam_rewind_jobs_total{kind="backup",trigger="request",outcome="succeeded"} 1"#,
        r#"ipam_rewind_http_requests_total{method="POST",route="/api/backup",status="200"} 1"#,
        r#"ipam_rewind_http_requests_total{method="GET",route="/api/backup/{backup_id}",status="400"} 1"#,
        r#"ipam_rewind_http_requests_total{method="GET",route="other",status="404"} 1"#,
        r#"ipam_rewind_job_duration_seconds_count{kind="backup",outcome="succeeded"} 1"#,
        "ipam_rewind_backups 1",
        "ipam_rewind_damaged_backups 0",
        "ipam_rewind_jobs_running 0",
    ];
    let text = async || {
        let answer = serving.get("/metrics").send().await.expect("it answers");
        let kind = answer.headers()["content-type"].to_str().expect("text").to_owned();
        assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
        answer.text().await.expect("a body")
    };
    until("all that is to be counted", async || {
        let text = text().await;
        wanted.iter().all(|wanted| text.lines().any(|line| line == *wanted))
    })
    .await;
    let text = text().await;
    for name in [
        "ipam_rewind_last_success_timestamp_seconds{kind=\"backup\"}",
        "ipam_rewind_store_stored_bytes",
        "ipam_rewind_disk_available_bytes",
        "ipam_rewind_connections_total",
        "ipam_rewind_build_info",
    ] {
        assert!(text.contains(name), "{name} in {text}");
    }
}

#[tokio::test]
async fn monitoring_page_names_every_metric() {
    let page = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring.md"),
    );
    let page = page.expect("the page");
    let text = ipam_rewind::service::Metrics::new().text();
    let names = text.lines().filter_map(|line| line.strip_prefix("# HELP "));
    let names: Vec<_> = names.filter_map(|line| line.split(' ').next()).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(page.contains(name), "{name}");
    }
}

#[tokio::test]
async fn the_stores_size_is_remembered_after_each_change() {
    let database = database().await;
    let program = Program::on(&database);
    let serving = Serving::start(&program, &[]);
    let sizes = async || serving.json("/api/statistics/history").await["sizes"].clone();
    assert_eq!(sizes().await[0]["backups"], 0, "at the start");
    ok(serving.post("/api/backup")).await;
    until("the size after the backup", async || sizes().await[1]["backups"] == 1).await;
    let statistics = serving.json("/api/statistics").await;
    let last = sizes().await[1].clone();
    for same in ["stored_bytes", "logical_bytes"] {
        assert_eq!(last[same], statistics[same]);
    }
    let disk = &statistics["disk"];
    assert!(disk["available_bytes"].as_u64() <= disk["total_bytes"].as_u64());
    assert_eq!(disk["full_in_days"], serde_json::Value::Null, "a minute tells no trend");
}
