//! What a description and a label may be: they go into lists, pages and terminals.

use super::text::is_hidden;

/// Characters that a description may have.
const MAX_DESCRIPTION: usize = 1000;
/// Characters that the name of who asks may have.
const MAX_AUTHOR: usize = 200;
/// Characters that a label's key may have.
const MAX_KEY: usize = 63;
/// Characters that a label's value may have.
const MAX_VALUE: usize = 255;

/// Whether a text may be what people call a backup.
///
/// # Errors
/// Says why not.
pub fn check_description(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("the description is empty".into());
    }
    check_text("the description", text, MAX_DESCRIPTION)
}

/// Whether a text may be the name of who asks for a backup.
///
/// # Errors
/// Says why not.
pub fn check_author(text: &str) -> Result<(), String> {
    check_text("the name of who asks", text, MAX_AUTHOR)
}

/// Whether this may be a label.
///
/// # Errors
/// Says why not.
pub fn check_label(key: &str, value: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    if key.is_empty() || key.len() > MAX_KEY || !key.chars().all(allowed) {
        let key: String = key.chars().take(80).collect();
        return Err(format!(
            "not a label's name: {key:?} (1 to {MAX_KEY} of the letters, digits and . _ - /)"
        ));
    }
    check_text(&format!("the label {key}"), value, MAX_VALUE)
}

fn check_text(what: &str, text: &str, most: usize) -> Result<(), String> {
    if text.chars().count() > most {
        return Err(format!("{what} has more than {most} characters"));
    }
    if let Some(hidden) = text.chars().find(|c| is_hidden(*c)) {
        let hidden = hidden.escape_unicode();
        return Err(format!("{what} has a control character or an invisible one ({hidden})"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_a_list_is_refused() {
        assert!(check_description("Before the VLAN import – größer").is_ok());
        assert!(check_description(&"ü".repeat(1000)).is_ok());
        let bidi = "a\u{202e}b";
        for wrong in ["", "  ", "two\nlines", "\u{1b}[2J", bidi, "\u{feff}a", &"x".repeat(1001)] {
            assert!(check_description(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_label_has_a_short_name_and_a_short_value() {
        assert!(check_label("change/ticket-1.a_b", "CHG0042 (größer)").is_ok());
        assert!(check_label("k", "").is_ok());
        for (key, value) in [
            ("", "x"),
            ("a b", "x"),
            ("ä", "x"),
            (&"k".repeat(64), "x"),
            ("k", "a\tb"),
            ("k", "a\u{2066}"),
        ] {
            assert!(check_label(key, value).is_err(), "{key:?} {value:?}");
        }
        assert!(check_label("k", &"v".repeat(256)).is_err());
    }
}
