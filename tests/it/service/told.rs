//! Failures are told: by the webhook, and wherever one may look.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use ipam_rewind::api::body::{JobResult, notice};
use ipam_rewind::engine::Kind;
use ipam_rewind::model::Age;
use ipam_rewind::service::automation::Plan;
use ipam_rewind::service::jobs::{Order, Trigger, Work};
use ipam_rewind::service::notify::Target;
use ipam_rewind::service::schedule::Timetable;
use serde_json::Value;
use sha2::Sha256;

use crate::support::clockwork::{Clockwork, metrics_text, prove_if_due};
use crate::support::database;
use crate::support::serving::until;

const SECRET: &str = "between us";

/// Somebody who listens to notices, and turns the first ones away.
#[derive(Clone, Default)]
pub(super) struct Listener {
    turn_away: Arc<Mutex<usize>>,
    heard: Arc<Mutex<Vec<(HeaderMap, String)>>>,
}

impl Listener {
    pub(super) async fn turning_away(first: usize) -> (Self, Target) {
        let listener = Self { turn_away: Arc::new(Mutex::new(first)), heard: Arc::default() };
        let router = axum::Router::new().route("/hook", post(hear)).with_state(listener.clone());
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("bound");
        tokio::spawn(async move { axum::serve(socket, router).await.expect("it serves") });
        let target = Target::new(&format!("http://{address}/hook"), Some(SECRET.into()), notice);
        (listener, target.expect("an address").with_first_pause(Duration::from_millis(5)))
    }

    pub(super) async fn until(&self, number: usize) -> Vec<Value> {
        until("a notice", async || self.heard.lock().expect("no panic").len() >= number).await;
        let heard = self.heard.lock().expect("no panic").clone();
        heard.iter().map(|(_, body)| serde_json::from_str(body).expect("JSON")).collect()
    }
}

async fn hear(State(listener): State<Listener>, headers: HeaderMap, body: String) -> StatusCode {
    let mut left = listener.turn_away.lock().expect("no panic");
    listener.heard.lock().expect("no panic").push((headers, body));
    if *left == 0 {
        return StatusCode::NO_CONTENT;
    }
    *left -= 1;
    StatusCode::SERVICE_UNAVAILABLE
}

pub(super) fn hourly(webhook: Target) -> Plan {
    let timetable = Timetable::new(&["0 * * * *".to_owned()], "UTC").expect("a timetable");
    let verify_within = Some(Age::days(2));
    Plan { timetable, notify: vec![webhook], verify_within, ..Plan::default() }
}

#[tokio::test]
async fn a_backup_that_fails_is_seen_everywhere_and_the_next_good_one_is_told() {
    let clockwork = Clockwork::new(database().await);
    let (listener, target) = Listener::turning_away(0).await;
    let service = clockwork.service(hourly(target.clone())).await;
    clockwork.database.sql("ALTER TABLE vrf RENAME TO vrf_gone").await;
    clockwork.turn(chrono::Duration::minutes(31));
    assert!(service.automation.backups.back_up_if_due().await);

    let notice = listener.until(1).await.remove(0);
    assert_eq!(
        (&notice["event"], &notice["job"]["kind"]),
        (&"job_failed".into(), &"backup".into())
    );
    assert_eq!(notice["job"]["trigger"], "schedule");
    assert!(
        notice["problem"]["detail"].as_str().is_some_and(|text| text.contains("vrf")),
        "{notice}"
    );
    assert_eq!(notice["last_good_backup"], Value::Null);

    let run = service.automation.schedule.status().await.last_run.expect("there was one");
    assert!(run.detail.is_some_and(|detail| detail.contains("vrf")));
    let health = service.automation.health.health().await;
    assert!(!health.checks.schedule.ok && !health.checks.last_backup.ok);
    // Anybody may ask how the service is, so what the database said is not told there.
    assert_eq!(health.checks.schedule.detail, "the latest scheduled backup failed");
    let metrics = metrics_text(&service).await;
    let line = r#"ipam_rewind_jobs_total{kind="backup",trigger="schedule",outcome="failed"} 1"#;
    assert!(metrics.contains(line), "{metrics}");

    // That backups fail is remembered over a restart.
    service.shut_down(Duration::from_mins(1)).await;
    drop(service);
    let service = clockwork.service(hourly(target)).await;
    clockwork.database.sql("ALTER TABLE vrf_gone RENAME TO vrf").await;
    clockwork.turn(chrono::Duration::hours(1));
    assert!(service.automation.backups.back_up_if_due().await);
    let notice = listener.until(2).await.remove(1);
    assert_eq!(notice["event"], "backup_recovered");
    assert_eq!(notice["last_good_backup"], clockwork.ids().await[0].as_str());
    let health = service.automation.health.health().await;
    assert!(health.checks.schedule.ok && health.checks.last_backup.ok, "{health:?}");
    service.shut_down(Duration::from_mins(1)).await;
}

#[tokio::test]
async fn a_notice_is_tried_again_and_is_signed() {
    let clockwork = Clockwork::new(database().await);
    let (listener, target) = Listener::turning_away(2).await;
    let service = clockwork.service(hourly(target)).await;
    clockwork.database.sql("ALTER TABLE vrf RENAME TO vrf_gone").await;
    clockwork.turn(chrono::Duration::hours(1));
    assert!(service.automation.backups.back_up_if_due().await);
    let notices = listener.until(3).await;
    assert!(notices[..3].iter().all(|notice| notice == &notices[0]), "the same each time");
    let (headers, body) = listener.heard.lock().expect("no panic")[0].clone();
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
    let signed = hex::encode(mac.chain_update(body.as_bytes()).finalize().into_bytes());
    assert_eq!(headers["x-ipam-rewind-signature"], format!("sha256={signed}"));
    assert_eq!(headers["content-type"], "application/json");
    let delivered = r#"ipam_rewind_notices_total{format="json",outcome="delivered"} 2"#;
    until("the count", async || service.metrics.text().contains(delivered)).await;
    // That the hour was missed, three times, and that the backup failed.
    assert_eq!(listener.heard.lock().expect("no panic").len(), 4);
    service.shut_down(Duration::from_mins(1)).await;
}

#[tokio::test]
async fn a_webhook_that_hangs_holds_up_no_work_and_is_given_up() {
    let clockwork = Clockwork::new(database().await);
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", silent.local_addr().expect("bound"));
    let service =
        clockwork.service(hourly(Target::new(&url, None, notice).expect("an address"))).await;
    clockwork.database.sql("ALTER TABLE vrf RENAME TO vrf_gone").await;
    let begun = std::time::Instant::now();
    for _ in 0..3 {
        clockwork.turn(chrono::Duration::hours(1));
        assert!(service.automation.backups.back_up_if_due().await);
    }
    service.shut_down(Duration::from_mins(1)).await;
    // One try alone would wait for ten seconds, and each notice is tried five times.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn damage_that_a_verification_finds_is_told_with_what_it_affects() {
    let clockwork = Clockwork::new(database().await);
    clockwork.database.sql("INSERT INTO vrf (vrf_id, description) VALUES ('red', 'x')").await;
    let id = clockwork.backup().await;
    let (listener, target) = Listener::turning_away(0).await;
    let service = clockwork.service(hourly(target)).await;
    damage_a_pack(&clockwork.folder.path().join("store/packs"));
    clockwork.turn(chrono::Duration::days(1));
    assert!(prove_if_due(&service).await);
    let notice = listener.until(1).await.remove(0);
    assert_eq!(notice["event"], "damage_found");
    let damage = notice["damage"][0].as_str().expect("a sentence");
    assert!(damage.contains(id.as_str()), "{damage}");
    assert_eq!(notice["last_good_backup"], Value::Null);
    let health = service.automation.health.health().await;
    assert!(!health.checks.verification.ok);
    assert!(metrics_text(&service).await.contains("ipam_rewind_damaged_backups 1"));
    service.shut_down(Duration::from_mins(1)).await;
}

/// Changes a byte of the first chunk of each pack.
fn damage_a_pack(packs: &std::path::Path) {
    for folder in std::fs::read_dir(packs).expect("packs") {
        for pack in std::fs::read_dir(folder.expect("an entry").path()).expect("a folder") {
            let path = pack.expect("an entry").path();
            let mut bytes = std::fs::read(&path).expect("read");
            let middle = bytes.len() / 3;
            bytes[middle] ^= 0xff;
            let mut permissions = std::fs::metadata(&path).expect("there").permissions();
            #[expect(clippy::permissions_set_readonly_false, reason = "it goes with the test")]
            permissions.set_readonly(false);
            std::fs::set_permissions(&path, permissions).expect("ours");
            std::fs::write(&path, bytes).expect("written");
        }
    }
}

#[tokio::test]
async fn harmless_finding_wakes_nobody_and_damage_to_a_backup_does() {
    let clockwork = Clockwork::new(database().await);
    let (listener, target) = Listener::turning_away(0).await;
    clockwork.backup().await;
    let service = clockwork.service(hourly(target)).await;
    let store = clockwork.folder.path().join("store");
    let first = |below: &str| crate::store::samples::files(&store, below).remove(0);
    std::fs::write(first("index"), "no index").expect("written");
    let verify = async || {
        let order = Order {
            work: Work::Verify(Vec::new()),
            created_by: "somebody".into(),
            caller: None,
            trigger: Trigger::Request,
            request_id: None,
        };
        let job = service.jobs.submit(order).expect("taken on").job_id;
        service.jobs.ended(job).await.expect("known");
        let result = service.jobs.find(job).expect("known").result.expect("a report");
        serde_json::to_value(JobResult::from(result)).expect("a body")
    };
    let report = verify().await;
    assert_eq!(report["status"], "success", "{report}");
    assert_eq!(report["elsewhere"].as_array().map(Vec::len), Some(1), "{report}");

    let pack = first("packs");
    let mut bytes = std::fs::read(&pack).expect("readable");
    bytes[60] ^= 1;
    std::fs::write(&pack, bytes).expect("written");
    assert_eq!(verify().await["status"], "damaged");
    // Notices go out in their order: the first verification has sent none.
    let notice = listener.until(1).await.remove(0);
    assert_eq!(notice["event"], "damage_found");
    let damage = notice["damage"].as_array().expect("a list");
    let only_packs =
        damage.iter().all(|said| said.as_str().is_some_and(|s| s.starts_with("packs/")));
    assert!(!damage.is_empty() && only_packs, "{notice}");
    let metrics = metrics_text(&service).await;
    assert!(metrics.contains("ipam_rewind_damaged_backups 1"), "{metrics}");
    service.shut_down(Duration::from_mins(1)).await;
}

#[tokio::test]
async fn scheduled_verification_of_a_deleted_backup_wakes_nobody() {
    let clockwork = Clockwork::new(database().await);
    let (listener, target) = Listener::turning_away(0).await;
    let id = clockwork.backup().await;
    let service = clockwork.service(hourly(target)).await;
    clockwork.engine().await.store().unlink(&id).await.expect("unlinked");
    let order = Order {
        work: Work::Verify(vec![id]),
        created_by: "schedule".into(),
        caller: None,
        trigger: Trigger::Schedule,
        request_id: None,
    };
    let job = service.jobs.submit(order).expect("taken on").job_id;
    let ended = service.jobs.ended(job).await.expect("known");
    assert_eq!(ended.failure.expect("it failed").kind, Kind::NoSuchBackup);

    clockwork.database.sql("ALTER TABLE vrf RENAME TO vrf_gone").await;
    clockwork.turn(chrono::Duration::minutes(31));
    assert!(service.automation.backups.back_up_if_due().await);
    // Notices go out in their order.
    let notice = listener.until(1).await.remove(0);
    assert_eq!(
        (&notice["event"], &notice["job"]["kind"]),
        (&"job_failed".into(), &"backup".into())
    );
    service.shut_down(Duration::from_mins(1)).await;
}
