//! The body of a webhook of Discord.

use serde_json::{Value, json};

use crate::service::notify::message::{Message, fit};
use crate::service::notify::notice::Severity;

/// The limit of a message; that of a description is higher.
const TEXT: usize = 2000;
const TITLE: usize = 256;

/// Returns the body. Nothing in it is Markdown or a mention.
#[must_use]
pub fn body(message: &Message) -> Value {
    let color = match message.severity {
        Severity::Info => 0x2e_a0_43,
        Severity::Warning => 0xd2_99_22,
        Severity::Critical => 0xd1_24_2f,
    };
    json!({
        "embeds": [{
            "title": fit(&message.title, TITLE, escape),
            "description": fit(&message.text, TEXT, escape),
            "color": color,
        }],
        "allowed_mentions": { "parse": [] },
    })
}

fn escape(letter: char) -> Option<String> {
    r"\*_~`|<>#-[]()@:".contains(letter).then(|| format!(r"\{letter}"))
}
