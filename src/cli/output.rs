//! Words, tables and numbers for people; JSON for programs.

use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};
use std::sync::atomic::{AtomicBool, Ordering};

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle,
};
use humansize::{BINARY, format_size};
use serde::Serialize;

pub use crate::model::visible as plain;
use crate::model::{visible_json, visible_lines};

/// Whether a result could not be written.
static UNWRITTEN: AtomicBool = AtomicBool::new(false);

/// Writes a result to standard output, with nothing that a terminal would obey.
pub fn text(text: &str) {
    write(&visible_lines(text.trim_end()));
}

/// Writes a result as one JSON document. What a terminal would obey is an escape in it, which is the
/// same value.
pub fn json<T: Serialize>(body: &T) {
    write(&visible_json(&serde_json::to_string_pretty(body).expect("bodies are plain data")));
}

/// A reader that has gone away (`| head`) is no failure.
fn write(text: &str) {
    let mut out = stdout().lock();
    if let Err(failure) = writeln!(out, "{text}").and_then(|()| out.flush())
        && failure.kind() != ErrorKind::BrokenPipe
    {
        UNWRITTEN.store(true, Ordering::Relaxed);
        error(&format!("cannot write to standard output: {failure}"));
    }
}

/// Whether a result could not be written to standard output.
pub fn is_unwritten() -> bool {
    UNWRITTEN.load(Ordering::Relaxed)
}

/// Writes a remark to standard error.
pub fn note(words: &str) {
    // Where standard error is closed, nobody wants the remark.
    let _ = writeln!(stderr(), "{}", visible_lines(words));
}

/// Whether what is written there may move the cursor.
pub fn is_screen(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("TERM").is_none_or(|kind| kind != "dumb")
}

/// Whether what is written there may have colours: on a screen, unless `NO_COLOR` is set.
pub fn has_colours(stream: &impl IsTerminal) -> bool {
    is_screen(stream) && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes a failure to standard error.
pub fn error(words: &str) {
    note(&format!("error: {words}"));
}

/// Writes failures that did not keep the rest from being done to standard error.
pub fn errors(all: &[String]) {
    for words in all {
        error(words);
    }
}

/// A line below the head, and nothing else that is not a value.
const LINES: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A table with this head.
pub fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(LINES);
    // A terminal that does not know its width says 0; nothing is to be squeezed into that.
    if table.width().is_none_or(|columns| columns > 0) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.set_header(head);
    table
}

/// Sets these columns flush right, as numbers are.
pub fn numbers(table: &mut Table, columns: std::ops::RangeInclusive<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// Never breaks what stands in these columns.
pub fn whole(table: &mut Table, columns: std::ops::RangeInclusive<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}

/// A number of bytes.
pub fn size(bytes: u64) -> String {
    format_size(bytes, BINARY)
}

/// A number with its thousands set apart.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// One thing or several.
pub fn plural(number: u64, thing: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {thing}{ending}", count(number))
}

/// A time in the documented form, without its fraction.
pub fn time(timestamp: &str) -> String {
    timestamp.split('.').next().unwrap_or(timestamp).replace('T', " ").trim_end_matches('Z').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_set_apart_by_thousands() {
        assert_eq!(
            [count(0), count(999), count(1000), count(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!([plural(1, "row"), plural(2, "row")], ["1 row", "2 rows"]);
    }
}
