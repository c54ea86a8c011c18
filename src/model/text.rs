//! Text that people read, from outside: which characters of it must not be shown as they are.

/// Whether a character is one that a reader does not see, or that changes how others are shown:
/// control characters, marks that turn the direction of writing, invisible ones, line separators.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// The text on one line, with what [`is_hidden`] as escapes (`\n`, `\u{202e}`).
#[must_use]
pub fn visible(text: &str) -> String {
    escaped(text, is_hidden)
}

/// As [`visible`], but lines stay lines.
#[must_use]
pub fn visible_lines(text: &str) -> String {
    escaped(text, |c| c != '\n' && is_hidden(c))
}

fn escaped(text: &str, hidden: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' if hidden(c) => shown.extend(c.escape_default()),
            _ if hidden(c) => shown.extend(c.escape_unicode()),
            _ => shown.push(c),
        }
    }
    shown
}

/// A JSON document in which nothing is hidden: such characters occur in its strings only, where an
/// escape is the same character.
#[must_use]
pub fn visible_json(document: &str) -> String {
    let mut shown = String::with_capacity(document.len());
    for c in document.chars() {
        if c != '\n' && is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                shown += &format!("\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_or_a_reader_not_see_is_escaped() {
        assert_eq!(visible("a\u{1b}[2Jb\nc ü"), "a\\u{1b}[2Jb\\nc ü");
        assert_eq!(visible_lines("a\u{9b}\nb\r"), "a\\u{9b}\nb\\r");
        for c in ["\u{202e}", "\u{2066}", "\u{200f}", "\u{feff}", "\u{2028}", "\u{7f}", "\u{e0041}"]
        {
            assert!(visible(c).starts_with("\\u{"), "{c:?}");
        }
        assert_eq!(visible("עברית, العربية, größer 東京"), "עברית, العربية, größer 東京");
    }

    #[test]
    fn a_json_document_stays_the_same_value() {
        let value = serde_json::json!({"a": "x\u{202e}y\u{9b}z\u{e0041}\u{1b}\n"});
        let shown = visible_json(&serde_json::to_string_pretty(&value).expect("JSON"));
        assert!(!shown.chars().any(|c| c != '\n' && is_hidden(c)), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), value);
    }
}
