//! Every row that differs between two points as a file: CSV for spreadsheets, JSON lines for programs.

use std::borrow::Cow;
use std::fmt;

use crate::engine::compare::diff::Pair;
use crate::engine::compare::trees::for_each_change;
use crate::engine::download::{Download, Out};
use crate::engine::{CellChange, ChangeKind, Engine, EngineError, Phase, Point, RowChange, Run};
use crate::model::is_hidden;

/// The form of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowForm {
    /// A line for each cell that differs: dataset, table, key, change, column, old, new. A null is an
    /// empty field, an empty text a pair of quotes (as in PostgreSQL's own CSV).
    Csv(Formulas),
    /// A JSON object for each row that differs, one on each line.
    JsonLines,
}

/// What becomes of texts in CSV that a spreadsheet would take for formulas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Formulas {
    /// They stay as they are: every field is exactly the value.
    #[default]
    Raw,
    /// They get an apostrophe in front: see `escape`.
    Escape,
}

impl RowForm {
    fn ending(self) -> &'static str {
        match self {
            Self::Csv(_) => "csv",
            Self::JsonLines => "jsonl",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Csv(_) => "text/csv; charset=utf-8; header=present",
            Self::JsonLines => "application/jsonl",
        }
    }

    fn write(self, change: &RowChange, out: &mut Vec<u8>) {
        match self {
            Self::Csv(formulas) => csv(change, formulas, out),
            Self::JsonLines => {
                serde_json::to_writer(&mut *out, change).expect("changes are plain data");
                out.push(b'\n');
            }
        }
    }
}

impl Engine {
    /// Every row that differs between two points, with flat memory however many they are.
    ///
    /// # Errors
    /// As [`Engine::diff`].
    pub async fn changed_rows(
        &self,
        from: &Point,
        to: &Point,
        form: RowForm,
        run: &Run,
    ) -> Result<Download, EngineError> {
        let Pair { old, new, .. } = self.both(from, to, run).await?;
        run.begin(Phase::Comparing, None);
        let progress = run.progress_sender();
        let name = format!("changes-{from}-{to}.{}", form.ending());
        Download::start(name, form.media_type(), move |file| {
            let out: &mut Out = &mut file.out;
            if matches!(form, RowForm::Csv(_)) {
                out.buffer.extend_from_slice(b"dataset,table,key,change,column,old,new\n");
            }
            file.begin(None);
            let out = &mut file.out;
            for_each_change(&old, &new, &mut |part, table, _, change| {
                form.write(&RowChange::new(part, table, &change), &mut out.buffer);
                progress.advance(1, 0);
                out.settle()
            })
        })
        .await
    }
}

fn csv(change: &RowChange, formulas: Formulas, out: &mut Vec<u8>) {
    let kind = match change.kind {
        ChangeKind::Added => "added",
        ChangeKind::Changed => "changed",
        ChangeKind::Removed => "removed",
    };
    for CellChange { column, old, new } in &change.cells {
        let [table, key, column] =
            [&change.table, &change.key, column].map(|text| Field(Some(formulas.apply(text))));
        let [old, new] =
            [old, new].map(|text| Field(text.as_deref().map(|text| formulas.apply(text))));
        let line = format!("{},{table},{key},{kind},{column},{old},{new}\n", change.dataset);
        out.extend_from_slice(line.as_bytes());
    }
}

impl Formulas {
    fn apply(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Raw => text.into(),
            Self::Escape => escape(text),
        }
    }
}

/// Puts an apostrophe in front of each piece of a text that a spreadsheet would take for a formula, and
/// of each that begins with an apostrophe. A new piece begins after a line end, a tab and a semicolon,
/// where some spreadsheets begin a cell. To undo it, take the apostrophe that a piece begins with.
fn escape(text: &str) -> Cow<'_, str> {
    let pieces = || text.split_inclusive(['\n', '\r', '\t', ';']);
    if !pieces().any(is_to_escape) {
        return text.into();
    }
    let escaped = |piece| [if is_to_escape(piece) { "'" } else { "" }, piece].concat();
    pieces().map(escaped).collect::<String>().into()
}

/// Whether a piece begins like a formula: behind what a spreadsheet may leave out.
fn is_to_escape(piece: &str) -> bool {
    let left_out = |c: char| c.is_whitespace() || is_hidden(c) || "'\"".contains(c);
    let begins = piece.trim_start_matches(left_out).chars().next();
    piece.starts_with('\'')
        || piece.starts_with(['\t', '\r'])
        || begins.is_some_and(|first| "=+-@|%＝＋－＠﹢﹣﹦﹫−".contains(first))
}

/// A field of CSV, as RFC 4180 has it.
struct Field<'t>(Option<Cow<'t, str>>);

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(text) = &self.0 else { return Ok(()) };
        if text.is_empty() || text.contains(['"', ',', '\n', '\r']) {
            write!(f, "\"{}\"", text.replace('"', "\"\""))
        } else {
            f.write_str(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_quoted_where_it_must_be_and_null_is_not_an_empty_text() {
        let said = |text: Option<&str>| Field(text.map(Cow::from)).to_string();
        assert_eq!(said(None), "");
        assert_eq!(said(Some("")), "\"\"");
        assert_eq!(said(Some("plain text")), "plain text");
        assert_eq!(said(Some("a,\"b\"\nc")), "\"a,\"\"b\"\"\nc\"");
    }

    /// Takes the apostrophes away again, as the documentation says.
    fn unescape(text: &str) -> String {
        let pieces = text.split_inclusive(['\n', '\r', '\t', ';']);
        pieces.map(|piece| piece.strip_prefix('\'').unwrap_or(piece)).collect()
    }

    #[test]
    fn what_a_spreadsheet_would_take_for_a_formula_is_escaped_and_comes_back() {
        let formulas = [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            " =1",
            "  \t -1",
            "\"=1",
            "'=1",
            "＝1",
            "＋1",
            "－1",
            "＠1",
            "\u{feff}=1",
            "\u{200b}=1",
            "\u{a0}=1",
            "|calc",
            "%1",
            "''=1",
            "a;=1",
            "a\n=1",
            "a\r\n+1",
            "a\t@x",
            "x; -1;y",
        ];
        for text in formulas {
            let escaped = escape(text);
            assert!(escaped.contains('\'') && escaped != text, "{text:?}");
            for piece in escaped.split(['\n', '\r', ';', '\t']) {
                let bare = piece.trim_start_matches(|c: char| c.is_whitespace() || is_hidden(c));
                assert!(
                    !bare.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']),
                    "{text:?}"
                );
            }
            assert_eq!(unescape(&escaped), text, "{text:?}");
        }
        for text in
            ["", "10.0.0.0/8", "a=b", "a, -b", "prod-vrf", "größer", "a;b", "a 'b'", "''", "'a"]
        {
            assert_eq!(unescape(&escape(text)), text, "{text:?}");
            assert!(text.starts_with('\'') || escape(text) == text, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_comes_back(text in "[ -~\n\t\r';=+@＝]{0,20}") {
            proptest::prop_assert_eq!(unescape(&escape(&text)), text);
        }
    }
}
