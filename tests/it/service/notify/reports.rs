//! What health, metrics, the command and the API tell of targets and notices.

use std::time::Duration;

use ipam_rewind::service::automation::{Condition, Plan};
use ipam_rewind::service::notify::Target;
use ipam_rewind::service::schedule::Timetable;
use serde_json::{Value, json};

use super::target;
use crate::support::clockwork::Clockwork;
use crate::support::database;
use crate::support::program::{Ended, Program};
use crate::support::receiver::{Received, Receiver};
use crate::support::serving::{Serving, ok, refused, until};

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
        receiver.until(1).await.iter().map(Received::json).collect()
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
        tokio::task::spawn_blocking(move || Ended::from(command.output().expect("it runs")))
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
