//! Backups that are made whenever something has changed.

use std::time::Duration;

use chrono::TimeDelta;
use ipam_rewind::engine::{BackupRequest, Engine, Look, Looked, Run};
use ipam_rewind::model::CaptureMode;
use ipam_rewind::service::automation::Plan;

use super::how;
use crate::restore_cases::plan;
use crate::support::clockwork::Clockwork;
use crate::support::cycle::{Cycle, words};
use crate::support::sample_database;

async fn look(cycle: &Cycle, looked: &mut Looked) -> Look {
    let look = cycle.engine.look_for_changes(looked, &Run::new()).await;
    look.unwrap_or_else(|error| panic!("{}", words(&error)))
}

async fn automatic(engine: &Engine) -> ipam_rewind::engine::BackupInfo {
    let request = BackupRequest { automatic: true, ..BackupRequest::default() };
    let made = engine.backup(request, &Run::new()).await;
    made.unwrap_or_else(|error| panic!("{}", words(&error))).backup_info
}

#[tokio::test]
async fn look_tells_a_change_from_none() {
    let cycle = plan().await;
    let mut looked = Looked::default();
    assert_eq!(look(&cycle, &mut looked).await, Look::Changed, "there is no backup");
    cycle.backup().await;
    assert_eq!(look(&cycle, &mut looked).await, Look::Same);
    cycle.sql("INSERT INTO idempotency_record (request_id) VALUES ('elsewhere')").await;
    assert_eq!(look(&cycle, &mut looked).await, Look::Same);
    cycle.sql("UPDATE vrf SET description = description").await;
    assert_eq!(look(&cycle, &mut looked).await, Look::Same, "nothing differs");
    for change in [
        "UPDATE vrf SET description = 'new' WHERE vrf_id = 'lab'",
        "DELETE FROM device42_ipaddress WHERE label = 'web'",
        "ALTER TABLE vpc ADD note text",
        "TRUNCATE device42_ipaddress",
    ] {
        cycle.sql(change).await;
        assert_eq!(look(&cycle, &mut looked).await, Look::Changed, "{change}");
        assert_eq!(look(&cycle, &mut looked).await, Look::Changed, "still: {change}");
        cycle.backup().await;
        assert_eq!(look(&cycle, &mut looked).await, Look::Same, "kept: {change}");
    }
}

#[tokio::test]
async fn automatic_backup_says_what_changed() {
    let cycle = plan().await;
    let first = automatic(&cycle.engine).await;
    assert!(first.description.starts_with("Backup created on"), "{}", first.description);
    for (change, description) in [
        (
            "UPDATE prefix SET tags = '{\"a\": 1}' WHERE prefix_id IN ('lab', 'lab-a')",
            "2 prefixes in lab",
        ),
        (
            "INSERT INTO vpc (vpc_id, provider, provider_vpc_id)
            VALUES ('00000000-0000-0000-0000-000000000009', 'gcp', 'new');
          DELETE FROM prefix WHERE prefix_id = 'six'",
            "1 prefix in corp, 1 VPC",
        ),
        ("UPDATE vrf SET description = 'x'", "4 VRFs"),
        (
            "UPDATE prefix SET tags = '{\"b\": 1}' WHERE source = 'manual' AND vrf_id <> 'public-vrf'",
            "7 prefixes in corp and lab",
        ),
        (
            "UPDATE prefix SET routable = routable WHERE prefix_id = 'lab-a'",
            "1 prefix touched in lab",
        ),
        ("ALTER TABLE vrf ADD note text", "the tables were altered"),
    ] {
        cycle.sql(change).await;
        let made = automatic(&cycle.engine).await;
        assert_eq!(made.description, description);
        assert!(made.automatic);
    }
}

#[tokio::test]
async fn service_makes_a_backup_when_something_changed_and_none_when_not() {
    let clockwork = Clockwork::new(sample_database().await);
    let watch = Some(Duration::from_secs(30));
    let service = clockwork.service(Plan { watch, ..Plan::default() }).await;
    let continuous = service.automation.continuous.as_ref().expect("it looks for changes");
    assert_eq!(continuous.look().await, Some(Look::Changed));
    assert_eq!(continuous.look().await, Some(Look::Same));
    assert_eq!(continuous.look().await.map(|look| look != Look::Changed), Some(true));
    assert_eq!(clockwork.ids().await.len(), 1);
    clockwork.database.sql("DELETE FROM device42_ipaddress WHERE id % 2 = 0").await;
    assert_eq!(continuous.look().await, Some(Look::Changed));
    assert_eq!(clockwork.ids().await.len(), 2);
    let list = service.engine.list().await.expect("the list");
    let info = &list.backups[0].info;
    assert_eq!((info.created_by.as_str(), info.automatic), ("watch", true));
    assert_eq!(info.capture.as_ref().map(|capture| capture.mode), Some(CaptureMode::Changes));
    assert!(info.description.ends_with("public IPs"), "{}", info.description);
}

#[tokio::test]
async fn looks_that_fail_for_long_are_told() {
    let clockwork = Clockwork::new(sample_database().await);
    clockwork.backup().await;
    let broken = clockwork.engine_at("postgres://nobody@127.0.0.1:1/nothing").await;
    let watch = Some(Duration::from_secs(30));
    let service = clockwork.service_over(broken, Plan { watch, ..Plan::default() }).await;
    let continuous = service.automation.continuous.as_ref().expect("it looks for changes");
    assert_eq!(continuous.look().await, None);
    assert_eq!(continuous.failing_since(), None);
    clockwork.turn(TimeDelta::minutes(11));
    assert_eq!(continuous.look().await, None);
    assert!(continuous.failing_since().is_some());
}

#[tokio::test]
async fn daily_full_read_makes_no_backup_where_nothing_changed() {
    let clockwork = Clockwork::new(sample_database().await);
    let cycle = Cycle::new(sample_database().await).await;
    let engine = Engine::new(cycle.engine.store().clone(), Some(cycle.database.url.clone()))
        .with_clock(clockwork.clock());
    let cycle = Cycle { engine, ..cycle };
    let first = cycle.backup().await;
    let mut looked = Looked::default();
    clockwork.turn(TimeDelta::hours(25));
    assert_eq!(look(&cycle, &mut looked).await, Look::Same);
    cycle.sql("DELETE FROM device42_ipaddress WHERE id % 2 = 0").await;
    assert_eq!(look(&cycle, &mut looked).await, Look::Changed);
    // All rows were read a moment ago, so changes alone are read now.
    let request = BackupRequest { reading: looked.reading(), ..BackupRequest::default() };
    let made = cycle.engine.backup(request, &Run::new()).await.expect("it is made").backup_info;
    let capture = made.capture.expect("it says");
    assert_eq!((capture.mode, capture.base), (CaptureMode::Changes, Some(first)));
    let manifest = super::manifest(&cycle, &made.backup_id).await;
    assert_eq!(how(&manifest).mode, CaptureMode::Changes);
}
