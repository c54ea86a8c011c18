//! The verification round.

use chrono::Duration;
use ipam_rewind::engine::BackupRequest;
use ipam_rewind::model::Age;
use ipam_rewind::service::jobs::{JobKind, JobState, Order, Trigger, Work};
use ipam_rewind::service::upkeep::Plan;

use crate::faults::running::hold;
use crate::support::clockwork::Clockwork;
use crate::support::database;

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
    let upkeep = service.upkeep();
    assert!(!upkeep.prove_if_due().await, "nothing is due in the first half of the period");
    clockwork.turn(Duration::days(2));
    for _ in 0..3 {
        assert!(upkeep.prove_if_due().await);
    }
    assert!(!upkeep.prove_if_due().await, "all had their turn");
    let verified: Vec<_> = service.jobs().latest(9).into_iter().rev().collect();
    assert!(verified.iter().all(|job| job.kind == JobKind::Verify));
    let targets: Vec<_> = verified.into_iter().filter_map(|job| job.target).collect();
    assert_eq!(targets, ids);

    let round = upkeep.schedule().await.verification.expect("there is a round");
    assert_eq!(round.oldest_proven_at, Some(clockwork.now()));
    assert_eq!(round.next_at, Some(clockwork.now() + Duration::days(2)));
    assert!(upkeep.health().await.checks.verification.ok);
    clockwork.turn(Duration::days(5));
    assert!(!upkeep.health().await.checks.verification.ok, "the period is over");
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
    let order = Order {
        work: Work::Backup(BackupRequest::default()),
        created_by: "somebody".into(),
        trigger: Trigger::Request,
        request_id: None,
    };
    let backup = service.jobs().submit(order).expect("taken on").job_id;
    assert!(!service.upkeep().prove_if_due().await);
    drop(held);
    let ended = service.jobs().ended(backup).await.expect("known");
    assert_eq!(ended.state, JobState::Succeeded);
    assert!(service.upkeep().prove_if_due().await);
    service.shut_down(std::time::Duration::from_mins(1)).await;
}
