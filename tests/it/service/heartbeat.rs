//! A monitor hears when scheduled backups begin, succeed and fail.

use std::time::Duration;

use ipam_rewind::service::automation::Plan;
use ipam_rewind::service::notify::Monitor;
use ipam_rewind::service::schedule::Timetable;

use crate::support::clockwork::Clockwork;
use crate::support::database;
use crate::support::receiver::Receiver;
use crate::support::serving::until;

#[tokio::test]
async fn monitor_hears_begin_success_and_failure_and_its_refusal_is_seen() {
    let clockwork = Clockwork::new(database().await);
    let receiver = Receiver::start().await;
    let monitor = Monitor::new(&format!("http://{}/ping/uuid?x=1", receiver.address));
    let monitor = monitor.expect("a URL").with_first_pause(Duration::from_millis(5));
    let timetable = Timetable::new(&["0 * * * *".to_owned()], "UTC").expect("a timetable");
    let plan = Plan { timetable, heartbeat: Some(monitor), ..Plan::default() };
    let service = clockwork.service(plan).await;
    clockwork.turn(chrono::Duration::hours(1));
    assert!(service.automation.backups.back_up_if_due().await);
    let heard = |number| {
        let receiver = receiver.clone();
        async move {
            let requests = receiver.until(number).await;
            requests.into_iter().map(|it| format!("{} {}", it.method, it.path)).collect::<Vec<_>>()
        }
    };
    assert_eq!(heard(2).await, ["GET /ping/uuid/start?x=1", "GET /ping/uuid?x=1"]);

    clockwork.database.sql("ALTER TABLE vrf RENAME TO vrf_gone").await;
    clockwork.turn(chrono::Duration::hours(1));
    assert!(service.automation.backups.back_up_if_due().await);
    assert_eq!(heard(4).await[2..], ["GET /ping/uuid/start?x=1", "POST /ping/uuid/fail?x=1"]);
    let failed = receiver.until(4).await.remove(3);
    assert!(failed.body.contains("vrf"), "{}", failed.body);

    // One that does not answer well is tried five times, and is seen in health.
    receiver.answer(500, None);
    clockwork.turn(chrono::Duration::hours(1));
    assert!(service.automation.backups.back_up_if_due().await);
    assert_eq!(heard(14).await[13], "POST /ping/uuid/fail?x=1");
    let check = async || service.automation.health.health().await.checks.notices;
    until("the refusal", async || !check().await.ok).await;
    assert_eq!(check().await.detail, "heartbeat: answered 500 Internal Server Error");
    service.shut_down(Duration::from_mins(1)).await;
}
