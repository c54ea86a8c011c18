//! The body of a message to Gotify.

use serde_json::{Value, json};

use crate::service::notify::message::{Message, as_it_is, fit};
use crate::service::notify::notice::Severity;

const TEXT: usize = 8000;
const TITLE: usize = 250;

/// Returns the body. Its text is no Markdown.
#[must_use]
pub fn body(message: &Message) -> Value {
    let priority = match message.severity {
        Severity::Info => 2,
        Severity::Warning => 5,
        Severity::Critical => 8,
    };
    json!({
        "title": fit(&message.title, TITLE, as_it_is),
        "message": fit(&message.text, TEXT, as_it_is),
        "priority": priority,
        "extras": { "client::display": { "contentType": "text/plain" } },
    })
}
