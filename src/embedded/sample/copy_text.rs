//! Rows in the text format of `COPY FROM STDIN`.

use std::fmt::{Display, Write};

/// Rows written so far, ready to be sent.
#[derive(Debug, Default)]
pub(super) struct CopyText(String);

impl CopyText {
    /// A field whose text needs no escape: numbers, ids, addresses, times.
    pub(super) fn plain(&mut self, value: impl Display) -> &mut Self {
        write!(self.0, "{value}\t").expect("writing to a string does not fail");
        self
    }

    /// A field of any text.
    pub(super) fn text(&mut self, value: &str) -> &mut Self {
        for character in value.chars() {
            match character {
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                '\t' => self.0.push_str("\\t"),
                other => self.0.push(other),
            }
        }
        self.0.push('\t');
        self
    }

    /// A field that may be null.
    pub(super) fn nullable(&mut self, value: Option<impl Display>) -> &mut Self {
        match value {
            Some(value) => self.text(&value.to_string()),
            None => self.plain("\\N"),
        }
    }

    pub(super) fn boolean(&mut self, value: bool) -> &mut Self {
        self.plain(if value { 't' } else { 'f' })
    }

    pub(super) fn end_row(&mut self) {
        self.0.pop();
        self.0.push('\n');
    }

    /// Takes the rows once they are worth sending.
    pub(super) fn take_if_large(&mut self) -> Option<String> {
        (self.0.len() > 256 * 1024).then(|| self.take())
    }

    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_separated_and_what_copy_would_read_otherwise_is_escaped() {
        let mut rows = CopyText::default();
        rows.plain(7).text("a\\b\tc\nd").nullable(None::<&str>).boolean(true).end_row();
        rows.text("").plain("x").end_row();
        assert_eq!(rows.take(), "7\ta\\\\b\\tc\\nd\t\\N\tt\n\tx\n");
    }
}
