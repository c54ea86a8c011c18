//! Pieces of SQL text. Every name from a catalog passes through [`name`] on its way into a
//! statement, every value through [`literal`].

use crate::model::{KeyColumn, KeyKind, Table};

/// An identifier, quoted.
pub fn name(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// A text value, quoted; `standard_conforming_strings` is on in every session.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Names as a list.
pub fn names<'n>(identifiers: impl IntoIterator<Item = &'n str>) -> String {
    identifiers.into_iter().map(name).collect::<Vec<_>>().join(", ")
}

/// A table, index or sequence of this schema.
pub fn qualified(schema: &str, identifier: &str) -> String {
    format!("{}.{}", name(schema), name(identifier))
}

/// A live table.
pub fn table(table: &Table) -> String {
    match &table.namespace {
        Some(schema) => qualified(schema, &table.name),
        None => name(&table.name),
    }
}

/// A live table, as what the catalog knows it by.
pub fn regclass(of: &Table) -> String {
    format!("{}::regclass", literal(&table(of)))
}

/// Several of them, as an array.
pub fn regclasses<'t>(tables: impl IntoIterator<Item = &'t Table>) -> String {
    let list = tables.into_iter().map(regclass).collect::<Vec<_>>().join(", ");
    format!("ARRAY[{list}]::regclass[]")
}

/// Oids as an array.
pub fn oids(oids: impl IntoIterator<Item = u32>) -> String {
    let list = oids.into_iter().map(|oid| oid.to_string()).collect::<Vec<_>>().join(", ");
    format!("ARRAY[{list}]::oid[]")
}

/// Texts as an array.
pub fn texts(texts: &[String]) -> String {
    let list = texts.iter().map(|text| literal(text)).collect::<Vec<_>>().join(", ");
    format!("ARRAY[{list}]::text[]")
}

/// Names of one relation as a list.
pub fn names_of<'n>(alias: &str, identifiers: impl IntoIterator<Item = &'n str>) -> String {
    let qualify = |identifier| format!("{alias}.{}", name(identifier));
    identifiers.into_iter().map(qualify).collect::<Vec<_>>().join(", ")
}

/// The key of a row of this relation, for people.
pub fn key_text(alias: &str, table: &Table) -> String {
    let key = table.key_names().map(|column| format!("{alias}.{}::text", name(column)));
    format!("pg_catalog.concat_ws(', ', {})", key.collect::<Vec<_>>().join(", "))
}

/// A value as COPY shows it, before it is escaped: a cast to text is another form for some types. It
/// compares by its bytes.
pub fn text_of(expression: &str) -> String {
    format!("pg_catalog.format('%s', {expression}) COLLATE \"C\"")
}

/// The `ORDER BY` whose order [`crate::tree::Layout`] computes itself.
pub fn key_order(table: &Table) -> String {
    let order = |key: &KeyColumn| match key.kind {
        KeyKind::Text => text_of(&name(&key.column)),
        KeyKind::Uuid | KeyKind::Integer => name(&key.column),
    };
    table.key.iter().map(order).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_cannot_end_their_quotes() {
        assert_eq!(name("a\"; DROP"), "\"a\"\"; DROP\"");
        assert_eq!(literal("O'Brien\\"), "'O''Brien\\'");
    }
}
