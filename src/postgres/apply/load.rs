//! Loads all rows of an empty table by COPY, without a staging table.
//!
//! There is nothing to compare them with: no row is updated or deleted, and none is in the way of
//! another.

use std::collections::BTreeSet;

use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;

use super::Apply;
use crate::model::Table;
use crate::postgres::error::{Cell, DatabaseError, Trouble, While};
use crate::postgres::sql;

/// Piece of the rows of one table.
#[derive(Debug)]
pub enum Lines {
    /// Whole lines of COPY text.
    Block(Vec<u8>),
    /// End of the rows. Without it the source has failed, and nothing is loaded.
    End,
}

/// All rows of a table that is empty.
#[derive(Debug)]
pub struct Load {
    /// Its parts, with the number of their rows.
    pub rows: Vec<(String, u64)>,
    /// Told when the rows are wanted.
    pub begin: oneshot::Sender<()>,
    /// The rows, in the order of the parts.
    pub lines: Receiver<Lines>,
    /// Told which of them the server refuses, if it says so.
    pub refuse: oneshot::Sender<Cell>,
}

impl Apply<'_> {
    /// Returns those of the tables that hold no row and can be loaded by one COPY: all columns are
    /// written, and no reference of another table has to be written by the same statement.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn loadable<'t>(
        &mut self,
        tables: &BTreeSet<&'t str>,
    ) -> Result<BTreeSet<&'t str>, DatabaseError> {
        let alone: BTreeSet<_> =
            self.rules.parents_first().into_iter().filter(|group| group.len() == 1).collect();
        let mut loadable = BTreeSet::new();
        for name in tables {
            let Some(number) = self.number_of(name) else { continue };
            let table = &self.schema.tables[number];
            if !alone.contains(&vec![number]) || table.columns.iter().any(|it| it.generated) {
                continue;
            }
            let empty = format!("SELECT NOT EXISTS (SELECT FROM {})", sql::table(table));
            if self.session.value(empty).await.trying("look for rows")? {
                loadable.insert(*name);
            }
        }
        Ok(loadable)
    }

    /// Has [`Apply::write`] load this table.
    ///
    /// # Panics
    /// If the table is not in the schema.
    pub fn load(&mut self, table: &str, load: Load) {
        let number = self.number_of(table).expect("a table that is loaded is in its schema");
        self.loads.insert(number, load);
    }

    /// Copies the rows of one table in.
    pub(super) async fn copy_in(&mut self, number: usize) -> Result<(), DatabaseError> {
        let Some(load) = self.loads.remove(&number) else { return Ok(()) };
        // A source that went away sends no end.
        let _ = load.begin.send(());
        let copied = self.copy_lines(&self.schema.tables[number], load.lines).await;
        if let Some(cell) = copied.as_ref().err().and_then(DatabaseError::copied_cell) {
            let _ = load.refuse.send(cell);
        }
        copied
    }

    async fn copy_lines(
        &mut self,
        table: &Table,
        mut lines: Receiver<Lines>,
    ) -> Result<(), DatabaseError> {
        const ENDED: &str = "not all of them could be read from the backup";
        let what = || format!("insert rows of {}", table.name);
        let columns = sql::names(table.column_names());
        let statement = format!("COPY {} ({columns}) FROM STDIN", sql::table(table));
        let mut copy = self.session.raw().copy_in_raw(&statement).await.trying(what())?;
        loop {
            match lines.recv().await {
                Some(Lines::Block(block)) => {
                    copy.send(block).await.map_err(Trouble::refused_row).trying(what())?;
                }
                Some(Lines::End) => break,
                None => {
                    copy.abort(ENDED).await.trying(what())?;
                    let trouble = Trouble::Unsuitable(ENDED.into());
                    return Err(DatabaseError { what: what(), trouble });
                }
            }
        }
        copy.finish().await.map_err(Trouble::refused_row).trying(what())?;
        Ok(())
    }

    /// Whether this table is to be loaded.
    #[must_use]
    pub fn loads(&self, table: &str) -> bool {
        self.number_of(table).is_some_and(|number| self.loads.contains_key(&number))
    }

    /// Returns the place of a table in the schema.
    fn number_of(&self, name: &str) -> Option<usize> {
        self.schema.tables.iter().position(|table| table.name == name)
    }
}
