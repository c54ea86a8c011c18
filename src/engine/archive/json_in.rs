//! JSON objects as rows of COPY text: the way back of `json_out`.
//!
//! Values are taken as they are spelt, so a row comes back byte for byte; whether it did is proven by
//! the tree that is made of it.

use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::engine::archive::form::JSON_NULLS;
use crate::engine::archive::json_out::Form;
use crate::model::Table;

/// Reads rows of one table.
#[derive(Debug)]
pub struct RowReader<'t> {
    table: &'t Table,
    places: HashMap<&'t str, (usize, Form)>,
}

impl<'t> RowReader<'t> {
    pub fn new(table: &'t Table) -> Self {
        let columns = table.columns.iter().enumerate();
        let place = |(place, column): (usize, &'t crate::model::Column)| {
            (column.name.as_str(), (place, Form::of(&column.type_name)))
        };
        Self { table, places: columns.map(place).collect() }
    }
}

/// One row: COPY text without its line end.
impl<'de> DeserializeSeed<'de> for &RowReader<'_> {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &RowReader<'_> {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a row of {}", self.table.name)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Vec<u8>, M::Error> {
        let mut fields: Vec<Option<Vec<u8>>> = vec![None; self.table.columns.len()];
        let mut nulls: Vec<String> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let Some(&(place, form)) = self.places.get(key.as_str()) else {
                if key == JSON_NULLS {
                    nulls = map.next_value()?;
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
                continue;
            };
            let value: Box<RawValue> = map.next_value()?;
            let field = field(form, value.get());
            let field = field.ok_or_else(|| {
                M::Error::custom(format!("{}.{key} is not of its type", self.table.name))
            })?;
            if fields[place].replace(field).is_some() {
                return Err(M::Error::custom(format!("{}.{key} twice in a row", self.table.name)));
            }
        }
        for name in nulls {
            if let Some(&(place, Form::Json)) = self.places.get(name.as_str()) {
                fields[place] = Some(b"null".to_vec());
            }
        }
        self.join(&fields).map_err(M::Error::custom)
    }
}

impl RowReader<'_> {
    fn join(&self, fields: &[Option<Vec<u8>>]) -> Result<Vec<u8>, String> {
        let mut row = Vec::new();
        for (place, field) in fields.iter().enumerate() {
            let column = &self.table.columns[place].name;
            let lacks = || format!("a row of {} lacks the column {column}", self.table.name);
            if place > 0 {
                row.push(b'\t');
            }
            row.extend_from_slice(field.as_ref().ok_or_else(lacks)?);
        }
        Ok(row)
    }
}

/// A value as a COPY field, if it is spelt as one of its kind is.
fn field(form: Form, raw: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(raw.len());
    match (form, raw.as_bytes()[0]) {
        (_, b'n') => out.extend_from_slice(b"\\N"),
        (Form::Json, _) => escape(raw, &mut out),
        (Form::Boolean, b't') => out.push(b't'),
        (Form::Boolean, b'f') => out.push(b'f'),
        (Form::Number, b'-' | b'0'..=b'9') => out.extend_from_slice(raw.as_bytes()),
        (Form::Number | Form::Text, b'"') => {
            escape(&serde_json::from_str::<String>(raw).ok()?, &mut out);
        }
        _ => return None,
    }
    Some(out)
}

/// Appends a text as PostgreSQL's COPY writes it.
pub fn escape(text: &str, out: &mut Vec<u8>) {
    for &byte in text.as_bytes() {
        let letter = match byte {
            b'\\' => b'\\',
            8 => b'b',
            12 => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            11 => b'v',
            plain => {
                out.push(plain);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', letter]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::archive::json_out::value;
    use proptest::prelude::*;

    fn there_and_back(form: Form, text: &str) {
        let mut copied = Vec::new();
        escape(text, &mut copied);
        let mut json = Vec::new();
        value(form, &copied, &mut json).expect("UTF-8");
        let json = std::str::from_utf8(&json).expect("UTF-8");
        assert_eq!(field(form, json).as_deref(), Some(&copied[..]), "{json}");
    }

    proptest! {
        #[test]
        fn every_text_comes_back_byte_for_byte(text in "\\PC*|[\\x01-\\x7f]*") {
            there_and_back(Form::Text, &text);
        }

        #[test]
        fn every_json_text_comes_back_byte_for_byte(text in "\\PC*|[\\x01-\\x7f]*", deep in 0_usize..9) {
            let string = serde_json::to_string(&text).expect("plain data");
            let json = format!("{}{string}{}", "[1.50, {\"a\":\n".repeat(deep), "}]".repeat(deep));
            there_and_back(Form::Json, &json);
        }
    }

    #[test]
    fn odd_numbers_and_words_that_look_like_nulls_come_back() {
        for number in ["0", "-1", "1e+20", "0.10", "NaN", "-Infinity", "12345678901234567890.5"] {
            there_and_back(Form::Number, number);
        }
        for text in ["\\N", "null", "", "\\."] {
            there_and_back(Form::Text, text);
        }
        assert_eq!(field(Form::Boolean, "1"), None);
        assert_eq!(field(Form::Text, "1"), None);
    }
}
