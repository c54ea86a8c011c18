//! Reads the rows of a table, in whatever order they lie, as blocks of COPY text.

use std::sync::Arc;

use futures::TryStreamExt;
use tokio::sync::mpsc::Sender;

use super::error::{DatabaseError, While};
use super::session::Session;
use super::sql;
use crate::model::{Part, Schema, Table};

/// A block holds at least so many bytes, unless it is the last.
const BLOCK: usize = 128 << 10;

/// A stretch of a table's pages; to its end if nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pages {
    /// The first page.
    pub from: u64,
    /// The page after the last.
    pub upto: Option<u64>,
}

impl Pages {
    /// So many pages, and whatever may follow them, as stretches of about the same length.
    pub fn cut(pages: u64, stretches: u64) -> impl Iterator<Item = Self> {
        let start = move |stretch| pages * stretch / stretches;
        (0..stretches).map(move |stretch| Self {
            from: start(stretch),
            upto: (stretch + 1 < stretches).then(|| start(stretch + 1)),
        })
    }

    /// As a condition on rows; empty for all. The server reads other pages too, but takes no row out of them.
    pub(super) fn condition(self) -> String {
        let from = (self.from > 0).then(|| format!("ctid >= '({},0)'::tid", self.from));
        let upto = self.upto.map(|page| format!("ctid < '({page},0)'::tid"));
        from.into_iter().chain(upto).collect::<Vec<_>>().join(" AND ")
    }
}

impl Session {
    /// How many pages each table of the schema has now, in its order.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn pages(&mut self, schema: &Schema) -> Result<Vec<u64>, DatabaseError> {
        let pages = |table: &Table| {
            format!(
                "coalesce(pg_relation_size({}), 0) / current_setting('block_size')::int8",
                sql::regclass(table)
            )
        };
        let pages: Vec<_> = schema.tables.iter().map(pages).collect();
        let query = format!("SELECT ARRAY[{}]", pages.join(", "));
        let pages: Vec<i64> = self.value(query).await.trying("measure the tables")?;
        Ok(pages.into_iter().map(i64::unsigned_abs).collect())
    }

    /// Sends all rows of the table in these pages, whole rows with their line ends, in blocks: each
    /// after the number of the part that it belongs to, of these parts, and a tab. Returns when all
    /// were sent, or the receiver went away.
    ///
    /// # Errors
    /// If the table cannot be read or the connection is lost.
    pub async fn copy_table(
        &mut self,
        table: &Table,
        parts: &[Arc<Part>],
        pages: Pages,
        blocks: &Sender<Vec<u8>>,
    ) -> Result<(), DatabaseError> {
        let what = format!("read the table {}", table.name);
        let columns = sql::names(table.column_names());
        self.copy_rows((table, parts), &columns, &pages.condition(), &what, blocks).await
    }

    /// Sends these columns of the rows that meet a condition, as [`Self::copy_table`] does.
    pub(super) async fn copy_rows(
        &mut self,
        (table, parts): (&Table, &[Arc<Part>]),
        columns: &str,
        condition: &str,
        what: &str,
        blocks: &Sender<Vec<u8>>,
    ) -> Result<(), DatabaseError> {
        let number =
            |(place, part): (usize, &Arc<Part>)| format!("WHEN {} THEN {place}", part.condition);
        let numbers: Vec<_> = parts.iter().enumerate().map(number).collect();
        let filter =
            if condition.is_empty() { String::new() } else { format!(" WHERE {condition}") };
        let statement = format!(
            "COPY (SELECT CASE {} END, {columns} FROM {}{filter}) TO STDOUT",
            numbers.join(" "),
            sql::table(table),
        );
        self.copy_out(&statement, what, blocks).await
    }

    /// Sends what a COPY statement gives, in blocks, as [`Self::copy_table`] does.
    pub(super) async fn copy_out(
        &mut self,
        statement: &str,
        what: &str,
        blocks: &Sender<Vec<u8>>,
    ) -> Result<(), DatabaseError> {
        let mut stream = self.raw().copy_out_raw(statement).await.trying(what)?;
        let mut block = Vec::with_capacity(2 * BLOCK);
        while let Some(data) = stream.try_next().await.trying(what)? {
            block.extend_from_slice(&data);
            if block.len() >= BLOCK {
                let full = std::mem::replace(&mut block, Vec::with_capacity(2 * BLOCK));
                if blocks.send(full).await.is_err() {
                    return Ok(());
                }
            }
        }
        // A receiver that went away has its own reason to tell.
        let _ = blocks.send(block).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_follow_each_other_and_the_last_is_open() {
        let cut: Vec<_> = Pages::cut(7, 3).map(|pages| (pages.from, pages.upto)).collect();
        assert_eq!(cut, [(0, Some(2)), (2, Some(4)), (4, None)]);
        assert_eq!(Pages::cut(0, 1).next(), Some(Pages { from: 0, upto: None }));
    }
}
