//! Notices arrive: in the form of each service, whatever a target does, and over a restart.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use ipam_rewind::api::body::notice;
use ipam_rewind::service::automation::{Condition, Plan};
use ipam_rewind::service::notify::{Event, Notice, Notifier, Target, TargetCondition, Wanted};
use ipam_rewind::service::schedule::Timetable;
use serde_json::{Value, json};

use crate::support::clockwork::Clockwork;
use crate::support::database;
use crate::support::program::Program;
use crate::support::receiver::Receiver;
use crate::support::serving::{Serving, ok, refused, until};

const QUICK: Duration = Duration::from_millis(5);

fn target(url: &str) -> Target {
    let target = Target::parse(url, Wanted::Failure, None, notice);
    target.expect("an address").with_first_pause(QUICK)
}

fn at() -> DateTime<Utc> {
    "2025-09-20T14:30:22Z".parse().expect("a time")
}

/// A notice that tries to be more than text.
fn hostile() -> Notice {
    let message =
        "backup *failed*: <!channel> @everyone [x](http://y) \"q\" \u{202e}\r\nBcc: a@b.c";
    let mut notice = Notice::new(Event::Overdue, message, at());
    notice.host = "db-1".into();
    notice.last_good_backup = Some("20250920_133000".parse().expect("an id"));
    notice
}

/// A notifier over a folder, and what it tells of its deliveries.
fn notifier(targets: Vec<Target>, folder: &std::path::Path) -> (Notifier, Arc<Mutex<Vec<String>>>) {
    let told = Arc::<Mutex<Vec<String>>>::default();
    let kept = told.clone();
    let tell = move |format: &'static str, delivery| {
        kept.lock().expect("no panic").push(format!("{format} {delivery:?}"));
    };
    (Notifier::start(targets, folder, tell).expect("it starts"), told)
}

async fn sent(scheme: &str, rest: &str, notice: &Notice) -> crate::support::receiver::Received {
    let (receiver, folder) = (Receiver::start().await, tempfile::tempdir().expect("a folder"));
    let url = format!("{scheme}://{}", rest.replace("HOST", &receiver.address));
    let (notifier, _) = notifier(vec![target(&url)], folder.path());
    notifier.send(notice);
    let request = receiver.until(1).await.remove(0);
    assert_eq!(request.method, "POST");
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("x-ipam-rewind-delivery"), notice.delivery_id.to_string());
    request
}

const TITLE: &str = "ipam-rewind on db-1: backup overdue";
const PLAIN: &str = "backup *failed*: <!channel> @everyone [x](http://y) \"q\" \\u{202e}\\r\nBcc: a@b.c\n\
                     Last good backup: 20250920_133000";

#[tokio::test]
async fn slack_is_sent_an_attachment_without_mentions_or_markdown() {
    let request = sent("slack+http", "HOST/services/T0/B0/key", &hostile()).await;
    assert_eq!(request.path, "/services/T0/B0/key");
    let text = "backup *failed*: &lt;!channel&gt; @\u{200b}everyone [x](http://y) \"q\" \
                \\u{202e}\\r\nBcc: a@\u{200b}b.c\nLast good backup: 20250920_133000";
    let attachment = json!({
        "fallback": TITLE, "color": "danger", "title": TITLE, "text": text, "mrkdwn_in": [],
    });
    let wanted = json!({ "link_names": false, "attachments": [attachment] });
    assert_eq!(request.json(), wanted);
}

#[tokio::test]
async fn discord_is_sent_an_embed_without_mentions_or_markdown() {
    let request = sent("discord+http", "HOST/api/webhooks/1/key", &hostile()).await;
    assert_eq!(request.path, "/api/webhooks/1/key");
    let text = r#"backup \*failed\*\: \<!channel\> \@everyone \[x\]\(http\://y\) "q" \\u{202e}\\r
Bcc\: a\@b.c
Last good backup\: 20250920\_133000"#;
    let embed = json!({
        "title": r"ipam\-rewind on db\-1\: backup overdue", "description": text, "color": 0xd1_24_2f,
    });
    let wanted = json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } });
    assert_eq!(request.json(), wanted);
}

#[tokio::test]
async fn teams_is_sent_an_adaptive_card_of_text_runs() {
    let request = sent("teams+http", "HOST/workflows/1?sig=key", &hostile()).await;
    assert_eq!(request.path, "/workflows/1?sig=key");
    let body = request.json();
    let attachment = &body["attachments"][0];
    assert_eq!(body["type"], "message");
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    let card = json!([
        { "type": "RichTextBlock", "inlines": [{
            "type": "TextRun", "text": TITLE, "weight": "Bolder", "size": "Medium",
            "color": "Attention",
        }] },
        { "type": "RichTextBlock", "inlines": [{ "type": "TextRun", "text": PLAIN }] },
    ]);
    assert_eq!(attachment["content"]["type"], "AdaptiveCard");
    assert_eq!(attachment["content"]["body"], card);
}

#[tokio::test]
async fn gotify_is_sent_a_message_with_a_priority_and_its_token_in_a_header() {
    let request = sent("gotify+http", "HOST/push/?token=key", &hostile()).await;
    assert_eq!((request.path.as_str(), request.header("x-gotify-key")), ("/push/message", "key"));
    let extras = json!({ "client::display": { "contentType": "text/plain" } });
    let wanted = json!({ "title": TITLE, "message": PLAIN, "priority": 8, "extras": extras });
    assert_eq!(request.json(), wanted);
}

#[tokio::test]
async fn ntfy_is_sent_a_message_for_a_topic_and_logs_in() {
    let request = sent("ntfy+http", "HOST/alerts?token=key", &hostile()).await;
    assert_eq!((request.path.as_str(), request.header("authorization")), ("/", "Bearer key"));
    let wanted = json!({
        "topic": "alerts", "title": TITLE, "message": PLAIN, "priority": 5,
        "tags": ["rotating_light"],
    });
    assert_eq!(request.json(), wanted);
    let request = sent("ntfy+http", "me:p%3Aw@HOST/alerts", &hostile()).await;
    // "me:p:w"
    assert_eq!(request.header("authorization"), "Basic bWU6cDp3");
}

#[tokio::test]
async fn plain_json_has_no_job_where_none_is_concerned() {
    let body = sent("http", "HOST/hook?x=1", &hostile()).await;
    assert_eq!(body.path, "/hook?x=1");
    let body = body.json();
    assert_eq!((&body["event"], &body["severity"]), (&"overdue".into(), &"critical".into()));
    assert_eq!((&body["job"], &body["problem"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn long_notice_fits_into_what_each_service_takes() {
    let long = Notice::new(Event::DiskFilling, "<*ä@".repeat(100_000), at());
    for (scheme, rest, pointer, most) in [
        ("slack+http", "HOST/x", "/attachments/0/text", 4000),
        ("discord+http", "HOST/x", "/embeds/0/description", 2000),
        ("teams+http", "HOST/x", "", 28_000),
        ("gotify+http", "HOST/?token=x", "/message", 8000),
        ("ntfy+http", "HOST/x", "/message", 4096),
    ] {
        let body = sent(scheme, rest, &long).await.json();
        let text = body.pointer(pointer).expect("a text");
        let length = text.as_str().map_or_else(|| text.to_string().len(), str::len);
        assert!((most / 3..=most).contains(&length), "{scheme}: {length}");
    }
}

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

fn hourly(notify: Vec<Target>) -> Plan {
    let timetable = Timetable::new(&["0 * * * *".to_owned()], "UTC").expect("a timetable");
    Plan { timetable, notify, ..Plan::default() }
}

#[tokio::test]
async fn refusal_is_seen_in_health_and_metrics_until_the_target_takes_a_notice() {
    let clockwork = Clockwork::new(database().await);
    let receiver = Receiver::start().await;
    receiver.answer(404, None);
    let url = format!("slack+http://{}/services/hunter2", receiver.address);
    let target = target(&url).with_first_pause(Duration::from_secs(1));
    let service = clockwork.service(hourly(vec![target])).await;
    let check = async || service.automation.health.health().await.checks.notices;
    assert!(check().await.ok);
    clockwork.database.sql("ALTER TABLE vrf RENAME TO vrf_gone").await;
    clockwork.turn(chrono::Duration::hours(1));
    assert!(service.automation.backups.back_up_if_due().await);
    // That the hour was missed, and that the backup failed.
    let wanted = "slack: answered 404 Not Found (2 waiting, 0 lost)";
    until("the refusal", async || check().await.detail == wanted).await;
    let health = service.automation.health.health().await;
    assert!(health.condition == Condition::Degraded && health.is_ready());
    let metrics = service.metrics.text();
    let line = r#"ipam_rewind_notices_total{format="slack",outcome="refused"} 1"#;
    assert!(metrics.contains(line), "{metrics}");

    receiver.answer(200, None);
    assert_eq!(service.automation.notifier.test(chrono::Utc::now()).await[0].refusal, None);
    until("the delivery", async || check().await.ok).await;
    let requests = receiver.until(4).await;
    let events: Vec<_> = requests[2..].iter().map(|it| it.body.clone()).collect();
    assert!(requests[1].body.contains("test") && events[1].contains("backup failed"), "{events:?}");
    service.shut_down(Duration::from_mins(1)).await;
}

#[tokio::test]
async fn backup_that_is_made_is_told_only_to_those_who_want_it() {
    let clockwork = Clockwork::new(database().await);
    let (all, failures) = (Receiver::start().await, Receiver::start().await);
    let targets = vec![
        target(&format!("http://{}/#events=all", all.address)),
        target(&format!("http://{}/", failures.address)),
    ];
    let service = clockwork.service(hourly(targets)).await;
    clockwork.turn(chrono::Duration::hours(1));
    assert!(service.automation.backups.back_up_if_due().await);
    let events = async |receiver: &Receiver| -> Vec<Value> {
        receiver.until(1).await.iter().map(crate::support::receiver::Received::json).collect()
    };
    let made = |it: &Value| it["event"] == "backup_made";
    until("the notice", async || events(&all).await.iter().any(made)).await;
    let request = events(&all).await.into_iter().find(made).expect("there");
    let id = clockwork.ids().await.remove(0);
    assert_eq!(request["severity"], "info");
    assert_eq!(request["message"], format!("backup {id} was made"));
    assert_eq!(request["last_good_backup"], id);
    // It hears of the hour that was missed, and of nothing after it.
    until("the other notice", async || failures.count() == 1).await;
    assert!(!events(&failures).await.iter().any(made));
    service.shut_down(Duration::from_mins(1)).await;
}

#[tokio::test]
async fn command_sends_a_test_and_tells_what_each_target_answered() {
    let (takes, refuses) = (Receiver::start().await, Receiver::start().await);
    refuses.answer(401, None);
    let program = Program::at(None);
    let urls = format!(
        "# comment\n\n  http://{}/hunter2\ndiscord+http://{}/hunter2\n",
        takes.address, refuses.address
    );
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), urls).expect("written");
    let file = file.path().to_str().expect("plain text");
    let run = async |arguments: Vec<String>| {
        let mut command = program.command(&[]);
        command.args(arguments);
        tokio::task::spawn_blocking(move || {
            crate::support::program::Ended::from(command.output().expect("it runs"))
        })
        .await
        .expect("no panic")
    };
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let ended = run(words(&format!("notify --test --notify-file {file}"))).await;
    let wanted = "json 127.0.0.1: delivered\ndiscord 127.0.0.1: answered 401 Unauthorized\n";
    assert_eq!((ended.code, ended.out.as_str()), (1, wanted), "{}", ended.err);
    assert!(!ended.err.contains("hunter2"), "{}", ended.err);
    assert_eq!(takes.until(1).await[0].json()["event"], "test");

    let ended =
        run(words(&format!("notify --test --json --notify http://{}/", takes.address))).await;
    let body: Value = serde_json::from_str(&ended.out).expect("JSON");
    let target =
        json!({ "format": "json", "host": "127.0.0.1", "delivered": true, "refusal": null });
    assert_eq!((ended.code, body), (0, json!({ "status": "success", "targets": [target] })));

    for (arguments, said) in [
        ("notify --test", "there is no target"),
        ("notify --notify pager+https://hunter2/", "known are https, slack+https"),
        ("notify --notify-file /no/such", "/no/such"),
        ("serve --notify ntfy+https://hunter2/", "its path is one topic"),
        ("serve --heartbeat hunter2", "invalid heartbeat URL"),
    ] {
        let ended = run(words(arguments)).await;
        assert_eq!(ended.code, 2, "{arguments}: {}", ended.err);
        assert!(ended.err.contains(said), "{arguments}: {}", ended.err);
    }
    assert_eq!((takes.count(), refuses.count()), (2, 1));
}

#[tokio::test]
async fn api_sends_a_test_for_admins_and_shows_no_more_than_hosts() {
    let receiver = Receiver::start().await;
    receiver.answer(403, None);
    let program = Program::at(None);
    let operator = program.json(&["token", "create", "op", "--role", "operator"]);
    let admin = program.json(&["token", "create", "root", "--role", "admin"]);
    let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
    let urls = format!("slack+http://{0}/hunter2 http://{0}/hunter2", receiver.address);
    command.env("NOTIFY_URL", urls);
    let serving = Serving::of(command);
    let token = |made: &Value| made["token"].as_str().expect("a token").to_owned();
    let test = |made: &Value| serving.post("/api/notify/test").bearer_auth(token(made));
    assert_eq!(refused(test(&operator)).await.0, 403);
    assert_eq!(refused(serving.post("/api/notify/test")).await.0, 401);
    assert_eq!(receiver.count(), 0);
    let body = ok(test(&admin)).await;
    let target = |format| {
        json!({
            "format": format, "host": "127.0.0.1", "delivered": false,
            "refusal": "answered 403 Forbidden",
        })
    };
    let targets = [target("slack"), target("json")];
    assert_eq!(body, json!({ "status": "refused", "targets": targets }));
    let schedule = ok(serving.get("/api/schedule").bearer_auth(token(&operator))).await;
    let known = json!({
        "format": "slack", "host": "127.0.0.1", "waiting": 0, "lost": 0, "refusal": null,
    });
    assert_eq!(schedule["notices"][0], known);
    assert!(!format!("{body}{schedule}{}", serving.log()).contains("hunter2"));
}
