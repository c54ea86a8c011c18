//! The body of an incoming webhook of Slack; Mattermost and Rocket.Chat take it, too.

use serde_json::{Value, json};

use crate::service::notify::message::{Message, fit};
use crate::service::notify::notice::Severity;

/// Slack advises 4000 at most, and cuts off at 40000.
const TEXT: usize = 3000;
const TITLE: usize = 250;

/// Returns the body. Nothing in it is Markdown, a link or a mention.
#[must_use]
pub fn body(message: &Message) -> Value {
    let color = match message.severity {
        Severity::Info => "good",
        Severity::Warning => "warning",
        Severity::Critical => "danger",
    };
    let (title, text) = (fit(&message.title, TITLE, escape), fit(&message.text, TEXT, escape));
    json!({
        "link_names": false,
        "attachments": [{
            "fallback": title.clone(),
            "color": color,
            "title": title,
            "text": text,
            "mrkdwn_in": [],
        }],
    })
}

/// `<!channel>` and `<@U1>` need their bracket. An invisible space after `@` keeps others who take this
/// form from finding a name there.
fn escape(letter: char) -> Option<String> {
    let escaped = match letter {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '@' => "@\u{200b}",
        _ => return None,
    };
    Some(escaped.to_owned())
}
