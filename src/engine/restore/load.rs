//! Reads the rows of empty tables for a COPY straight into them: there is nothing to compare them with.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::stage::{BLOCK, copied_row};
use crate::engine::compare::trees::changes;
use crate::engine::snapshot::Snapshot;
use crate::engine::{Engine, EngineError};
use crate::model::{Part, Table};
use crate::postgres::{Apply, Cell, DatabaseError, Lines, Load};
use crate::threads;
use crate::tree::Layout;

/// Fewer rows than this are staged, even if their tables are empty.
const MANY: u64 = 1_000;

/// The tables that are loaded without staging.
#[derive(Debug, Default)]
pub(in crate::engine) struct Loading {
    tables: Vec<Reading>,
}

/// A table whose rows a thread reads.
#[derive(Debug)]
struct Reading {
    rows: Rows,
    read: JoinHandle<Result<(), EngineError>>,
    refused: oneshot::Receiver<Cell>,
}

/// The rows of one table.
#[derive(Debug, Clone)]
struct Rows {
    table: Table,
    parts: Vec<Arc<Part>>,
    /// The live table, which is empty, and the backup.
    sides: Arc<(Snapshot, Snapshot)>,
}

impl Engine {
    /// Has those tables loaded that hold no row yet. The restore must be one of whole tables: nothing is
    /// selected among rows that are not staged.
    pub(in crate::engine) async fn load_empty_tables(
        &self,
        apply: &mut Apply<'_>,
        live: &Snapshot,
        target: &Snapshot,
    ) -> Result<Loading, EngineError> {
        let sides = Arc::new((live.clone(), target.clone()));
        let filled: BTreeSet<_> =
            live.parts.iter().filter(|part| part.rows > 0).map(|part| &part.table).collect();
        let new = |table: &str| {
            let parts = target.parts.iter().filter(|part| part.table == table && part.rows > 0);
            parts.map(|part| (part.name.clone(), part.rows)).collect::<Vec<_>>()
        };
        let tables = target.schema.tables.iter().filter(|table| !filled.contains(&table.name));
        let empty: BTreeSet<_> =
            tables.map(|table| table.name.as_str()).filter(|name| !new(name).is_empty()).collect();
        let rows: u64 = empty.iter().flat_map(|table| new(table)).map(|(_, rows)| rows).sum();
        let mut loading = Loading::default();
        if rows < MANY {
            return Ok(loading);
        }
        for name in apply.loadable(&empty).await? {
            let part = |(name, _): &(String, u64)| {
                target.profile.part(name).expect("a known part").clone()
            };
            let table = target.schema.table(name).expect("one of its tables").clone();
            let (parts, sides) = (new(name).iter().map(part).collect(), sides.clone());
            let (load, reading) = read(Rows { table, parts, sides }, new(name));
            apply.load(name, load);
            loading.tables.push(reading);
        }
        Ok(loading)
    }
}

impl Loading {
    /// Returns the result of the writing that took the rows. The error of a thread comes first, as the
    /// reason of the other; one of the writing names the row that is refused, if the server knows it.
    ///
    /// # Errors
    /// If one of them failed.
    pub(in crate::engine) async fn finish(
        self,
        written: Result<(), DatabaseError>,
    ) -> Result<(), EngineError> {
        let mut found = None;
        for Reading { rows, read, mut refused } in self.tables {
            read.await.expect("reading does not panic")?;
            found = found.or(refused.try_recv().ok().map(|cell| (rows, cell)));
        }
        let (error, rows, cell) = match (written, found) {
            (Err(error), Some((rows, cell))) => (error, rows, cell),
            (written, _) => return Ok(written?),
        };
        let find = move || copied_row(&rows.parts, &rows.table, &rows.sides, cell);
        let row = threads::spawn(find).await.expect("looking a row up does not panic");
        let what = row.map_or(error.what, |row| format!("insert the row {row}"));
        Err(DatabaseError { what, trouble: error.trouble }.into())
    }
}

/// Starts a thread that reads these rows, once they are wanted.
fn read(rows: Rows, counts: Vec<(String, u64)>) -> (Load, Reading) {
    let (sender, lines) = mpsc::channel(4);
    let (begin, wanted) = oneshot::channel();
    let (refuse, refused) = oneshot::channel();
    let sent = rows.clone();
    let read = threads::spawn(move || {
        if wanted.blocking_recv().is_err() {
            return Ok(());
        }
        sent.send(&sender)
    });
    (Load { rows: counts, begin, lines, refuse }, Reading { rows, read, refused })
}

impl Rows {
    /// Sends them, unless nobody wants them any more. Blocks.
    fn send(&self, sender: &mpsc::Sender<Lines>) -> Result<(), EngineError> {
        let (layout, (live, target)) = (Layout::from(&self.table), &*self.sides);
        let mut block = Vec::with_capacity(2 * BLOCK);
        for part in &self.parts {
            for change in changes(part, &layout, live, target)? {
                block.extend_from_slice(change?.new.as_deref().expect("a row of an empty table"));
                block.push(b'\n');
                if block.len() >= BLOCK {
                    let full = std::mem::replace(&mut block, Vec::with_capacity(2 * BLOCK));
                    if sender.blocking_send(Lines::Block(full)).is_err() {
                        return Ok(());
                    }
                }
            }
        }
        // A receiver that went away has its own reason to tell.
        let _ = sender.blocking_send(Lines::Block(block));
        let _ = sender.blocking_send(Lines::End);
        Ok(())
    }
}
