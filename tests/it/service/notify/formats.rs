//! What each service is sent.

use ipam_rewind::service::notify::{Event, Notice};
use serde_json::{Value, json};

use super::{at, notifier, target};
use crate::support::receiver::{Received, Receiver};

/// A notice that tries to be more than text.
fn hostile() -> Notice {
    let message =
        "backup *failed*: <!channel> @everyone [x](http://y) \"q\" \u{202e}\r\nBcc: a@b.c";
    let mut notice = Notice::new(Event::Overdue, message, at());
    notice.host = "db-1".into();
    notice.last_good_backup = Some("20250920_133000".parse().expect("an id"));
    notice
}

async fn sent(scheme: &str, rest: &str, notice: &Notice) -> Received {
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
