//! Every row that differs between two points as a file: CSV for spreadsheets, JSON lines for programs.

use std::fmt;

use super::compare::for_each_change;
use super::diff::Compared;
use super::download::{Download, Out};
use super::{CellChange, ChangeKind, Engine, EngineError, Phase, Point, RowChange, Run};

/// The form of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowForm {
    /// A line for each cell that differs: dataset, table, key, change, column, old, new. A null is an
    /// empty field, an empty text a pair of quotes (as in PostgreSQL's own CSV).
    Csv,
    /// A JSON object for each row that differs, one on each line.
    JsonLines,
}

impl RowForm {
    fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::JsonLines => "application/jsonl",
        }
    }

    fn write(self, change: &RowChange, out: &mut Vec<u8>) {
        match self {
            Self::Csv => csv(change, out),
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
        let (old, new) = self.both(from, to, run).await?;
        run.begin(Phase::Comparing, None);
        let meter = run.meter();
        let name = format!("changes-{from}-{to}.{}", form.ending());
        Download::start(name, form.media_type(), move |file| {
            let Compared { side: old, schema } = old;
            let out: &mut Out = &mut file.out;
            if form == RowForm::Csv {
                out.buffer.extend_from_slice(b"dataset,table,key,change,column,old,new\n");
            }
            file.begin(None);
            let out = &mut file.out;
            for_each_change(&schema, &old, &new.side, &mut |part, table, _, change| {
                form.write(&RowChange::new(part, table, &change), &mut out.buffer);
                meter.advance(1, 0);
                out.settle()
            })
        })
        .await
    }
}

fn csv(change: &RowChange, out: &mut Vec<u8>) {
    let kind = match change.kind {
        ChangeKind::Added => "added",
        ChangeKind::Changed => "changed",
        ChangeKind::Removed => "removed",
    };
    for CellChange { column, old, new } in &change.cells {
        let [table, key, column] =
            [&change.table, &change.key, column].map(|text| Field(Some(text.as_str())));
        let [old, new] = [old, new].map(|text| Field(text.as_deref()));
        let line = format!("{},{table},{key},{kind},{column},{old},{new}\n", change.dataset);
        out.extend_from_slice(line.as_bytes());
    }
}

/// A field of CSV, as RFC 4180 has it.
struct Field<'t>(Option<&'t str>);

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(text) = self.0 else { return Ok(()) };
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
        let said = |text| Field(text).to_string();
        assert_eq!(said(None), "");
        assert_eq!(said(Some("")), "\"\"");
        assert_eq!(said(Some("plain text")), "plain text");
        assert_eq!(said(Some("a,\"b\"\nc")), "\"a,\"\"b\"\"\nc\"");
    }
}
