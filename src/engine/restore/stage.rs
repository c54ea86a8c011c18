//! Brings changes into the staging tables: one thread compares, while the lines are copied. Rows of tables
//! that are to be loaded are not among them.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::engine::compare::trees::{changes, differing};
use crate::engine::snapshot::Snapshot;
use crate::engine::{Engine, EngineError, RestoreOptions, RowChange};
use crate::model::{Manifest, Part, Schema, Table};
use crate::postgres::{Apply, Cell, DatabaseError, Rules, Staging};
use crate::threads;
use crate::tree::Layout;

/// A block of lines is sent once it has so many bytes.
pub(super) const BLOCK: usize = 128 << 10;

impl Engine {
    /// Brings the changes from `live` to `target` into the staging tables: comparing on a thread
    /// of its own, copying meanwhile.
    pub(in crate::engine) async fn stage_changes(
        &self,
        apply: &mut Apply<'_>,
        (schema, rules): (&Schema, &Rules),
        live: &Snapshot,
        target: &Snapshot,
    ) -> Result<(), EngineError> {
        let mut parts = differing(live, target)?;
        parts.retain(|part| !apply.loads(&part.table));
        apply.create_staging(&parts.iter().map(|part| part.table.as_str()).collect()).await?;
        let sides = Arc::new((live.clone(), target.clone()));
        for part in parts {
            let table = schema.table(&part.table).expect("a part's table is in its schema");
            let (layout, staging) = (Layout::from(table), Staging::new(&part, schema, rules));
            let (sender, lines) = mpsc::channel(4);
            let (sides, compared) = (sides.clone(), part.clone());
            let comparing = threads::spawn(move || -> Result<(), EngineError> {
                let mut block = Vec::with_capacity(2 * BLOCK);
                for change in changes(&compared, &layout, &sides.0, &sides.1)? {
                    staging.write(&change?, &mut block);
                    if block.len() >= BLOCK {
                        let full = std::mem::replace(&mut block, Vec::with_capacity(2 * BLOCK));
                        if sender.blocking_send(full).is_err() {
                            return Ok(());
                        }
                    }
                }
                // A receiver that went away has its own reason to tell.
                let _ = sender.blocking_send(block);
                Ok(())
            });
            let staged = apply.stage(&part, lines).await;
            comparing.await.expect("comparing does not panic")?;
            if let Err(error) = staged {
                return Err(name_row(error, part, table, (live, target)).await);
            }
        }
        Ok(apply.analyze_staging().await?)
    }

    /// Leaves of the staged changes those that are asked for, and what these need.
    pub(in crate::engine) async fn narrow(
        &self,
        apply: &mut Apply<'_>,
        (manifest, options): (&Manifest, &RestoreOptions),
    ) -> Result<(), EngineError> {
        let profile = manifest.profile();
        if !manifest.covers_whole_tables() {
            apply.stage_moves(profile, &manifest.not_covered).await?;
        }
        if options.merge {
            apply.keep_rows().await?;
        }
        if !options.selection.is_all() {
            apply.select(profile, &options.selection).await?;
        }
        Ok(())
    }
}

/// The error, with the row and the column that the server could not take.
async fn name_row(
    error: DatabaseError,
    part: Arc<Part>,
    table: &Table,
    (live, target): (&Snapshot, &Snapshot),
) -> EngineError {
    let Some(cell) = error.copied_cell() else {
        return error.into();
    };
    let (sides, table) = ((live.clone(), target.clone()), table.clone());
    let find = move || copied_row(&[part], &table, &sides, cell);
    match threads::spawn(find).await.expect("looking a row up does not panic") {
        Ok(row) => {
            DatabaseError { what: format!("write the row {row}"), trouble: error.trouble }.into()
        }
        Err(_) => error.into(),
    }
}

/// The row and the column of a line that was copied, among the changes of these parts. Blocks.
pub(super) fn copied_row(
    parts: &[Arc<Part>],
    table: &Table,
    (live, target): &(Snapshot, Snapshot),
    (number, column): Cell,
) -> Result<String, EngineError> {
    let layout = Layout::from(table);
    let mut before = usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
    let mut key = String::new();
    'parts: for part in parts {
        for change in changes(part, &layout, live, target)? {
            let change = change?;
            if before == 0 {
                key = RowChange::new(part, table, &change).key;
                break 'parts;
            }
            before -= 1;
        }
    }
    let column = column.map_or_else(String::new, |name| format!(", column {name}"));
    Ok(format!("{key} of {}{column}", table.name))
}
