//! The body of a workflow of Microsoft Teams ("When a Teams webhook request is received").

use serde_json::{Value, json};

use crate::service::notify::message::{Message, as_it_is, fit};
use crate::service::notify::notice::Severity;

/// A message may have 28 KB.
const TEXT: usize = 12_000;
const TITLE: usize = 250;

/// Returns an adaptive card. A text run knows no Markdown, and a mention would need an entity.
#[must_use]
pub fn body(message: &Message) -> Value {
    let color = match message.severity {
        Severity::Info => "Good",
        Severity::Warning => "Warning",
        Severity::Critical => "Attention",
    };
    let title = json!({
        "type": "TextRun",
        "text": fit(&message.title, TITLE, as_it_is),
        "weight": "Bolder",
        "size": "Medium",
        "color": color,
    });
    let text = json!({ "type": "TextRun", "text": fit(&message.text, TEXT, as_it_is) });
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [
                    { "type": "RichTextBlock", "inlines": [title] },
                    { "type": "RichTextBlock", "inlines": [text] },
                ],
            },
        }],
    })
}
