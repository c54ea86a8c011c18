//! The body of a message to ntfy, published as JSON.

use serde_json::{Value, json};

use crate::service::notify::message::{Message, as_it_is, fit};
use crate::service::notify::notice::Severity;

/// A longer message would become an attachment.
const TEXT: usize = 4000;
const TITLE: usize = 250;

/// Returns the body for this topic. Its text is no Markdown.
#[must_use]
pub fn body(topic: &str, message: &Message) -> Value {
    let (priority, tag) = match message.severity {
        Severity::Info => (3, "white_check_mark"),
        Severity::Warning => (4, "warning"),
        Severity::Critical => (5, "rotating_light"),
    };
    json!({
        "topic": topic,
        "title": fit(&message.title, TITLE, as_it_is),
        "message": fit(&message.text, TEXT, as_it_is),
        "priority": priority,
        "tags": [tag],
    })
}
