//! Names the row or the cell of a table that COPY refuses to send.

use std::str::from_utf8;

use futures::TryStreamExt;
use memchr::memchr;

use super::error::{DatabaseError, Trouble, While};
use super::session::Session;
use super::sql;
use crate::model::{Column, Table};
use crate::tree::{fields, key_text};

impl Session {
    /// The error, with what makes the table unreadable where that is a row of it. The session is of no
    /// other use afterwards.
    pub async fn name_unreadable(&mut self, error: DatabaseError, table: &Table) -> DatabaseError {
        let named = if error.trouble.is_about_encoding() {
            self.not_utf8(table).await
        } else if error.trouble.is_about_size() {
            self.largest(table).await
        } else {
            return error;
        };
        let Ok(Some(why)) = named else { return error };
        DatabaseError { what: error.what, trouble: Trouble::Unsuitable(why) }
    }

    /// The first cell that is not UTF-8. A database in `SQL_ASCII` checks no bytes.
    async fn not_utf8(&mut self, table: &Table) -> Result<Option<String>, DatabaseError> {
        const WHAT: &str = "look for a byte that is not UTF-8";
        self.rollback().await?;
        self.begin_look().await?;
        // Nothing is converted then, and nothing checked.
        self.run("SET LOCAL client_encoding = 'SQL_ASCII'".into()).await.trying(WHAT)?;
        let statement = format!(
            "COPY (SELECT {} FROM {}) TO STDOUT",
            sql::names(table.column_names()),
            sql::table(table)
        );
        let mut stream = self.raw().copy_out_raw(&statement).await.trying(WHAT)?;
        let mut rest = Vec::new();
        while let Some(data) = stream.try_next().await.trying(WHAT)? {
            rest.extend_from_slice(&data);
            while let Some(end) = memchr(b'\n', &rest) {
                let row: Vec<u8> = rest.drain(..=end).collect();
                if let Some(cell) = cell_not_utf8(&row[..end], table) {
                    return Ok(Some(format!(
                        "{cell} has a byte that is not UTF-8, and the encoding of the database does not \
                         say what it means: correct the value in the database"
                    )));
                }
            }
        }
        Ok(None)
    }

    /// The largest row, by the bytes that the server stores of it before it compresses text.
    async fn largest(&mut self, table: &Table) -> Result<Option<String>, DatabaseError> {
        const WHAT: &str = "look for the largest row";
        self.rollback().await?;
        self.begin_look().await?;
        let size = |column: &Column| {
            let name = sql::name(&column.name);
            // The length of a text is known without reading it.
            let size = match column.type_name.as_str() {
                "text" | "bytea" => format!("octet_length({name})"),
                other if other.starts_with("character varying") => format!("octet_length({name})"),
                _ => format!("pg_column_size({name})"),
            };
            format!("coalesce({size}, 0)::int8")
        };
        let sizes: Vec<_> = table.columns.iter().map(size).collect();
        let query = format!(
            "SELECT {}, ARRAY[{}] FROM {} t ORDER BY {} DESC LIMIT 1",
            sql::key_text("t", table),
            sizes.join(", "),
            sql::table(table),
            sizes.join(" + ")
        );
        let rows: Vec<(String, Vec<i64>)> = self.rows(query).await.trying(WHAT)?;
        let named = |(key, sizes): &(String, Vec<i64>)| {
            let (column, bytes) =
                table.columns.iter().zip(sizes).max_by_key(|(_, bytes)| **bytes)?;
            Some(format!(
                "PostgreSQL sends no row of 1 GiB or more as text. The largest row of {} is {key}, with \
                 {bytes} bytes in its column {}: shorten the value",
                table.name, column.name
            ))
        };
        Ok(rows.first().and_then(named))
    }
}

fn cell_not_utf8(row: &[u8], table: &Table) -> Option<String> {
    let place = fields(row).position(|field| from_utf8(field).is_err())?;
    let column = &table.columns.get(place)?.name;
    Some(format!("the row {} of {}, column {column},", key_text(row, table.key.len()), table.name))
}
