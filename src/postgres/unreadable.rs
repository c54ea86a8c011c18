//! Names the cell that cannot be read as UTF-8. A database in `SQL_ASCII` checks no bytes.

use std::str::from_utf8;

use futures::TryStreamExt;
use memchr::memchr;

use super::error::{DatabaseError, Trouble, While};
use super::session::Session;
use super::sql;
use crate::model::Table;
use crate::tree::fields;

impl Session {
    /// The error, with the first cell that is not UTF-8 if it is that. The session is of no other use
    /// afterwards.
    pub async fn name_unreadable(&mut self, error: DatabaseError, table: &Table) -> DatabaseError {
        if !error.trouble.is_about_encoding() {
            return error;
        }
        let Ok(Some(cell)) = self.unreadable(table).await else {
            return error;
        };
        let trouble = Trouble::Unsuitable(format!(
            "{cell} has a byte that is not UTF-8, and the encoding of the database does not say what it \
             means: correct the value in the database"
        ));
        DatabaseError { what: error.what, trouble }
    }

    async fn unreadable(&mut self, table: &Table) -> Result<Option<String>, DatabaseError> {
        const WHAT: &str = "look for a byte that is not UTF-8";
        self.rollback().await?;
        // Nothing is converted then, and nothing checked.
        self.run("SET client_encoding = 'SQL_ASCII'".into()).await.trying(WHAT)?;
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
                if let Some(cell) = unreadable_cell(&row[..end], table) {
                    return Ok(Some(cell));
                }
            }
        }
        Ok(None)
    }
}

fn unreadable_cell(row: &[u8], table: &Table) -> Option<String> {
    let place = fields(row).position(|field| from_utf8(field).is_err())?;
    let key: Vec<_> = fields(row).take(table.key.len()).map(String::from_utf8_lossy).collect();
    let column = &table.columns.get(place)?.name;
    Some(format!("the row {} of {}, column {column},", key.join(", "), table.name))
}
