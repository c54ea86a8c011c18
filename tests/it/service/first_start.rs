//! The retention rules at the first start over a store that holds more, and what is told of them later.

use chrono::Duration;
use ipam_rewind::model::Policy;
use ipam_rewind::service::automation::Plan;

use crate::support::app::App;
use crate::support::clockwork::Clockwork;
use crate::support::database;
use crate::support::program::Program;
use crate::support::serving::Serving;

/// Three backups and a service that keeps one, if its rules are in force.
async fn clockwork() -> Clockwork {
    let clockwork = Clockwork::new(database().await);
    for _ in 0..3 {
        clockwork.turn(Duration::minutes(1));
        clockwork.backup().await;
    }
    clockwork
}

fn keeping_one(confirm_retention: bool) -> Plan {
    Plan { retention: Some(Policy::last(1)), confirm_retention, ..Plan::default() }
}

async fn asked_for(clockwork: &Clockwork, plan: Plan) -> (serde_json::Value, serde_json::Value) {
    clockwork.turn(Duration::minutes(1));
    let app = App::over(clockwork.service(plan).await);
    let schedule = app.get("/api/schedule").await.ok();
    let made = app.post("/api/backup").await.ok();
    app.service.shut_down(std::time::Duration::from_mins(1)).await;
    (schedule, made)
}

#[tokio::test]
async fn rules_that_would_delete_what_was_there_wait_for_a_confirmation() {
    let clockwork = clockwork().await;
    let (schedule, made) = asked_for(&clockwork, keeping_one(true)).await;
    let old = ["20250920_143200", "20250920_143100"];
    assert_eq!(schedule["retention_withheld"], serde_json::json!(old));
    assert!(made.get("deleted").is_none(), "{made}");
    assert_eq!(clockwork.ids().await.len(), 4, "nothing was deleted by surprise");
    // Another start without it waits again.
    asked_for(&clockwork, keeping_one(true)).await;
    assert_eq!(clockwork.ids().await.len(), 5);

    let (schedule, made) = asked_for(&clockwork, keeping_one(false)).await;
    assert_eq!(schedule["retention_withheld"], serde_json::json!([]));
    assert_eq!(made["deleted"].as_array().map(Vec::len), Some(5), "{made}");
    let words = made["message"].as_str().expect("words");
    assert!(words.contains("deleted 20250920_143500, 20250920_143400"), "{words}");
    assert_eq!(clockwork.ids().await, ["20250920_143600"]);

    // Once they were in force, they stay so.
    clockwork.turn(Duration::minutes(1));
    clockwork.backup().await;
    let (_, made) = asked_for(&clockwork, keeping_one(true)).await;
    assert_eq!(made["deleted"].as_array().map(Vec::len), Some(2), "{made}");
}

#[tokio::test]
async fn rules_that_delete_nothing_at_the_first_start_are_in_force_at_once() {
    let clockwork = Clockwork::new(database().await);
    let (_, made) = asked_for(&clockwork, keeping_one(true)).await;
    assert!(made.get("deleted").is_none(), "{made}");
    let (_, made) = asked_for(&clockwork, keeping_one(true)).await;
    assert_eq!(made["deleted"], serde_json::json!(["20250920_143100"]));
}

#[tokio::test]
async fn a_first_start_over_a_store_that_cannot_be_seen_confirms_nothing() {
    let clockwork = clockwork().await;
    let engine = clockwork.engine().await;
    let (store, away) =
        (clockwork.folder.path().join("store"), clockwork.folder.path().join("away"));
    std::fs::rename(&store, &away).expect("moved");
    let service = clockwork.service_over(engine, keeping_one(true)).await;
    std::fs::rename(&away, &store).expect("moved back");
    let app = App::over(service);
    clockwork.turn(Duration::minutes(1));
    let made = app.post("/api/backup").await.ok();
    assert!(made.get("deleted").is_none(), "{made}");
    app.service.shut_down(std::time::Duration::from_mins(1)).await;
    drop(app);
    let (schedule, _) = asked_for(&clockwork, keeping_one(true)).await;
    assert_eq!(schedule["retention_withheld"].as_array().map(Vec::len), Some(3), "{schedule}");
    assert_eq!(clockwork.ids().await.len(), 5);
}

#[tokio::test]
async fn the_program_names_what_would_go_and_the_option() {
    let database = database().await;
    let program = Program::on(&database);
    for _ in 0..11 {
        program.backup();
    }
    let serving = Serving::start(&program, &[]);
    let log = serving.log();
    assert!(log.contains("would delete 1 of the backups"), "{log}");
    assert!(log.contains("--apply-retention") && log.contains("--keep-all"), "{log}");
    drop(serving);
    let serving = Serving::start(&program, &["--apply-retention"]);
    assert!(!serving.log().contains("would delete"));
}
