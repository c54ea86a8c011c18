//! The queue of each target: whatever it does, and over a restart.

use std::time::Duration;

use ipam_rewind::service::notify::{Event, Notice, TargetCondition};
use serde_json::Value;

use super::{at, notifier, target};
use crate::support::receiver::Receiver;
use crate::support::serving::until;

#[tokio::test]
async fn target_that_hangs_or_is_dead_delays_no_other() {
    let (hangs, takes) = (Receiver::start().await, Receiver::start().await);
    hangs.hang();
    let folder = tempfile::tempdir().expect("a folder");
    let targets = [
        format!("http://{}/", hangs.address),
        "slack+http://127.0.0.1:1/".into(),
        format!("http://{}/", takes.address),
    ];
    let targets = targets.iter().map(|url| target(url)).collect();
    let (notifier, _) = notifier(targets, folder.path());
    let notices: Vec<_> =
        (0..5).map(|n| Notice::new(Event::Overdue, n.to_string(), at())).collect();
    for notice in &notices {
        notifier.send(notice);
    }
    let requests = takes.until(5).await;
    let order: Vec<_> = requests.iter().map(|it| it.json()["message"].clone()).collect();
    assert_eq!(order, ["0", "1", "2", "3", "4"]);
    // The first attempt there has not even ended.
    assert_eq!(hangs.count(), 1);
    assert_eq!(notifier.status()[0].condition.waiting, 5);
}

#[tokio::test]
async fn refused_notice_outlasts_a_restart_with_the_same_id_and_in_order() {
    let receiver = Receiver::start().await;
    receiver.answer(503, None);
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("http://{}/secret", receiver.address);
    let slow = target(&url).with_first_pause(Duration::from_hours(1));
    let (first, told) = notifier(vec![slow.clone()], folder.path());
    let notices = ["a", "b"].map(|text| Notice::new(Event::Overdue, text, at()));
    for notice in &notices {
        first.send(notice);
    }
    receiver.until(1).await;
    until("the refusal", async || !told.lock().expect("no panic").is_empty()).await;
    first.save().await;
    drop(first);

    let kept = std::fs::read_dir(folder.path().join("notices")).expect("a folder");
    let kept: Vec<_> = kept.map(|file| file.expect("an entry").path()).collect();
    assert_eq!(kept.len(), 1);
    let text = std::fs::read_to_string(&kept[0]).expect("a file");
    assert!(!text.contains("secret") && !kept[0].to_string_lossy().contains("secret"));

    // Its pause is not over: only a success of another kind wakes it.
    receiver.answer(200, None);
    let (second, _) = notifier(vec![slow], folder.path());
    assert_eq!(second.status()[0].condition.waiting, 2);
    let refusal = second.status()[0].condition.refusal.clone();
    assert_eq!(refusal.as_deref(), Some("answered 503 Service Unavailable"));
    assert_eq!(second.test(at()).await[0].refusal, None);
    let requests = receiver.until(4).await;
    let ids: Vec<_> = requests.iter().map(|it| it.json()["delivery_id"].clone()).collect();
    assert_eq!(ids[0], notices[0].delivery_id.to_string());
    assert_eq!(ids[2..], notices.map(|it| Value::from(it.delivery_id.to_string())));
    until("an empty queue", async || second.status()[0].condition == TargetCondition::default())
        .await;
}

#[tokio::test]
async fn retry_after_decides_when_the_next_attempt_is_made() {
    let receiver = Receiver::start().await;
    receiver.answer(429, Some(("retry-after", "1")));
    let folder = tempfile::tempdir().expect("a folder");
    let target = target(&format!("http://{}/", receiver.address));
    // Without it, the next attempt would be in an hour.
    let target = target.with_first_pause(Duration::from_hours(1));
    let (notifier, told) = notifier(vec![target], folder.path());
    let begun = std::time::Instant::now();
    notifier.send(&Notice::new(Event::Overdue, "x", at()));
    receiver.until(1).await;
    receiver.answer(200, None);
    let requests = receiver.until(2).await;
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(requests[0].json()["delivery_id"], requests[1].json()["delivery_id"]);
    let told = || told.lock().expect("no panic").clone();
    until("the delivery", async || told().len() == 2).await;
    assert_eq!(told(), ["json Refused", "json Delivered"]);
}

#[tokio::test]
async fn redirect_is_a_refusal_and_is_not_followed() {
    let (receiver, elsewhere) = (Receiver::start().await, Receiver::start().await);
    let location = format!("http://{}/", elsewhere.address);
    receiver.answer(307, Some(("location", &location)));
    let folder = tempfile::tempdir().expect("a folder");
    let (notifier, _) =
        notifier(vec![target(&format!("http://{}/", receiver.address))], folder.path());
    let refusal = notifier.test(at()).await.remove(0).refusal.expect("refused");
    assert!(refusal.contains("307") && refusal.contains("not followed"), "{refusal}");
    assert_eq!(elsewhere.count(), 0);
}
