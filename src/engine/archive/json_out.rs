//! Stored rows as JSON objects, in a form that gives the same rows when it is read again.

use std::collections::HashMap;

use crate::engine::EngineError;
use crate::engine::archive::form::JSON_NULLS;
use crate::model::{Beside, Part, Referred, Table};
use crate::tree::{fields, unescape};

/// The values of columns that other rows refer to, by the stored field of the key. Held while a file is
/// written: some fifty bytes for each row that is referred to, of which a site has thousands.
pub type ReferredValues = HashMap<Referred, ByField>;

/// Values by a stored field.
pub type ByField = HashMap<Box<[u8]>, String>;

/// How the values of a column are written. A type that is not named here is a string: its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `true` or `false`.
    Boolean,
    /// A number, in exactly PostgreSQL's digits; `NaN` and the infinities are strings.
    Number,
    /// The value's own text, as it is.
    Json,
    /// A string.
    Text,
}

impl Form {
    /// How a column of this type is written.
    pub fn of(type_name: &str) -> Self {
        match type_name {
            "boolean" => Self::Boolean,
            "smallint" | "integer" | "bigint" | "real" | "double precision" => Self::Number,
            "json" | "jsonb" => Self::Json,
            name if name == "numeric" || name.starts_with("numeric(") => Self::Number,
            _ => Self::Text,
        }
    }
}

/// Writes the rows of one part.
pub struct RowWriter<'t> {
    part: &'t Part,
    table: &'t Table,
    /// The columns as the table has them: the stored place, `"name": `, the form.
    columns: Vec<(usize, Vec<u8>, Form)>,
    beside: Vec<BesideColumns<'t>>,
    /// The columns that a row without a value leaves out.
    left_out_if_null: &'static [&'static str],
}

/// A value beside the columns.
struct BesideColumns<'t> {
    name: &'t str,
    label: Vec<u8>,
    /// The place of the column that it comes from.
    place: usize,
    /// The values that this column refers to; without them it is the column's own.
    values: Option<&'t ByField>,
}

impl<'t> RowWriter<'t> {
    /// Of rows of this table.
    pub fn new(part: &'t Part, table: &'t Table, referred: &'t ReferredValues) -> Self {
        let mut places: Vec<_> = (0..table.columns.len()).collect();
        places.sort_by_key(|&place| table.columns[place].position);
        let column = |place: usize| {
            let column = &table.columns[place];
            (place, label(&column.name), Form::of(&column.type_name))
        };
        let source = |beside: &'t Beside| {
            // Should a site have a column of this name, the column is what counts.
            let place = table.column(&beside.column)?;
            let values = beside.of.as_ref().map(|of| &referred[of]);
            let (name, label) = (beside.name.as_str(), label(&beside.name));
            table.column(name).is_none().then_some(BesideColumns { name, label, place, values })
        };
        let beside = part.beside.iter().filter_map(source).collect();
        let columns = places.into_iter().map(column).collect();
        Self { part, table, columns, beside, left_out_if_null: &[] }
    }

    /// The same, but a row that has no value in one of these columns leaves it out.
    pub fn leaving_out_nulls(self, columns: &'static [&'static str]) -> Self {
        Self { left_out_if_null: columns, ..self }
    }

    /// Appends a row as one JSON object on one line.
    pub fn write(&self, row: &[u8], out: &mut Vec<u8>) -> Result<(), EngineError> {
        let fields: Vec<_> = fields(row).collect();
        let mut json_nulls = Vec::new();
        out.push(b'{');
        let mut begun = false;
        for (place, label, form) in &self.columns {
            let column = self.table.columns[*place].name.as_str();
            if fields[*place] == b"\\N" && self.left_out_if_null.contains(&column) {
                continue;
            }
            if std::mem::replace(&mut begun, true) {
                out.extend_from_slice(b", ");
            }
            out.extend_from_slice(label);
            if *form == Form::Json && fields[*place] == b"null" {
                json_nulls.push(column);
            }
            value(*form, fields[*place], out).map_err(|why| self.malformed(column, why))?;
        }
        for beside in &self.beside {
            beside
                .write(fields[beside.place], out)
                .map_err(|why| self.malformed(beside.name, why))?;
        }
        if !json_nulls.is_empty() {
            let names = serde_json::to_string(&json_nulls).expect("names are plain data");
            out.extend_from_slice(format!(", \"{JSON_NULLS}\": {names}").as_bytes());
        }
        out.push(b'}');
        Ok(())
    }

    fn malformed(&self, column: &str, why: &str) -> EngineError {
        let why = format!("a value of {column} {why}");
        EngineError::Snapshot { part: self.part.name.clone(), why }
    }
}

impl BesideColumns<'_> {
    /// Appends it, unless the column refers to nothing.
    fn write(&self, field: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
        let referred = self.values.map(|values| values.get(field));
        if referred == Some(None) {
            return Ok(());
        }
        out.extend_from_slice(b", ");
        out.extend_from_slice(&self.label);
        match referred.flatten() {
            Some(text) => string(text, out),
            None => value(Form::Text, field, out)?,
        }
        Ok(())
    }
}

fn label(name: &str) -> Vec<u8> {
    let mut label = Vec::new();
    string(name, &mut label);
    label.extend_from_slice(b": ");
    label
}

fn string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("writing to memory does not fail");
}

/// Appends the value of a COPY field.
pub fn value(form: Form, field: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
    if field == b"\\N" {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    let raw = unescape(field);
    let digits = raw.strip_prefix(b"-").unwrap_or(&raw);
    match form {
        Form::Boolean => out.extend_from_slice(if &*raw == b"t" { b"true" } else { b"false" }),
        Form::Json => out.extend_from_slice(&raw),
        Form::Number if digits.first().is_some_and(u8::is_ascii_digit) => {
            out.extend_from_slice(&raw);
        }
        Form::Number | Form::Text => {
            string(std::str::from_utf8(&raw).map_err(|_| "is not UTF-8")?, out);
        }
    }
    Ok(())
}
