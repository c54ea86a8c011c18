//! The verification round.

use std::sync::Arc;

use chrono::Duration;
use ipam_rewind::engine::{BackupRequest, Engine};
use ipam_rewind::model::Age;
use ipam_rewind::service::Service;
use ipam_rewind::service::automation::Plan;
use ipam_rewind::service::jobs::{JobId, JobKind, JobState, Order, Trigger, Work};
use ipam_rewind::store::{LockKind, Store};
use object_store::memory::InMemory;

use crate::faults::running::{hold, until};
use crate::store::faults::Faulty;
use crate::support::clockwork::{Clockwork, prove_if_due};
use crate::support::database;

/// Somebody asks for this.
fn order(service: &Service, work: Work) -> JobId {
    let (created_by, trigger) = ("somebody".into(), Trigger::Request);
    let order = Order { work, created_by, caller: None, trigger, request_id: None };
    service.jobs.submit(order).expect("taken on").job_id
}

fn within_four_days() -> Plan {
    Plan { verify_within: Some(Age::days(4)), ..Plan::default() }
}

#[tokio::test]
async fn every_backup_is_proven_in_its_turn_oldest_proof_first() {
    let clockwork = Clockwork::new(database().await);
    for _ in 0..3 {
        clockwork.backup().await;
        clockwork.turn(Duration::hours(1));
    }
    let ids = clockwork.ids().await;
    let service = clockwork.service(within_four_days()).await;
    let round = service.automation.verification.as_ref().expect("there is a round");
    assert!(!round.prove_if_due().await, "nothing is due in the first half of the period");
    clockwork.turn(Duration::days(2));
    for _ in 0..3 {
        assert!(round.prove_if_due().await);
    }
    assert!(!round.prove_if_due().await, "all had their turn");
    let verified: Vec<_> = service.jobs.latest(9).into_iter().rev().collect();
    assert!(verified.iter().all(|job| job.kind == JobKind::Verify));
    let targets: Vec<_> =
        verified.into_iter().filter_map(|job| job.target.map(String::from)).collect();
    assert_eq!(targets, ids);

    let round = service.automation.schedule.status().await.verification.expect("there is a round");
    assert_eq!(round.oldest_proven_at, Some(clockwork.now()));
    assert_eq!(round.next_at, Some(clockwork.now() + Duration::days(2)));
    assert!(service.automation.health.health().await.checks.verification.ok);
    clockwork.turn(Duration::days(5));
    assert!(!service.automation.health.health().await.checks.verification.ok, "the period is over");
    service.shut_down(std::time::Duration::from_mins(1)).await;
}

#[tokio::test]
async fn nothing_is_verified_while_a_writer_is_about() {
    let clockwork = Clockwork::new(database().await);
    clockwork.backup().await;
    let service = clockwork.service(within_four_days()).await;
    clockwork.turn(Duration::days(3));
    // The backup waits for this table.
    let held = hold(&clockwork.database, "LOCK TABLE vrf").await;
    let backup = order(&service, Work::Backup(BackupRequest::default()));
    assert!(!prove_if_due(&service).await);
    drop(held);
    let ended = service.jobs.ended(backup).await.expect("known");
    assert_eq!(ended.state, JobState::Succeeded);
    assert!(prove_if_due(&service).await);
    service.shut_down(std::time::Duration::from_mins(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_gives_way_to_a_deletion_and_takes_its_turn_later() {
    let clockwork = Clockwork::new(database().await);
    let objects = Faulty::over(Arc::new(InMemory::new()));
    let store = Store::over(objects.clone(), None, LockKind::LEASE).await.expect("a store");
    let engine = Engine::new(store, Some(clockwork.database.url.clone()));
    let service = clockwork.service_over(engine, within_four_days()).await;
    for _ in 0..2 {
        let backup = order(&service, Work::Backup(BackupRequest::default()));
        service.jobs.ended(backup).await.expect("known");
        clockwork.turn(Duration::hours(1));
    }
    clockwork.turn(Duration::days(3));
    let ids = service.engine.store().backups().await.expect("listed");
    let verification = || {
        let mut jobs = service.jobs.latest(9).into_iter();
        jobs.find(|job| job.kind == JobKind::Verify).map(|job| job.state)
    };

    let held = objects.hold_up_reading().await;
    let deleting = async {
        until("a verification", async || verification() == Some(JobState::Running)).await;
        let deletion = order(&service, Work::Delete(ids[1].clone()));
        until("its end", async || verification() == Some(JobState::Cancelled)).await;
        drop(held);
        service.jobs.ended(deletion).await.expect("known").state
    };
    let round = service.automation.verification.as_ref().expect("there is a round");
    let (proven, deleted) = tokio::join!(round.prove_if_due(), deleting);
    assert!(!proven);
    assert_eq!(deleted, JobState::Succeeded);
    assert!(round.prove_if_due().await, "the one that is left has its turn at once");
    assert_eq!(service.jobs.latest(1)[0].target.as_ref(), Some(&ids[0]));
    service.shut_down(std::time::Duration::from_mins(1)).await;
}
