//! Records of requests beside the rows: those that go are kept in the safety backup, and its undo brings
//! them back.

use std::sync::Arc;

use memchr::memchr;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::engine::capture::sort::{Sorter, drain};
use crate::engine::{Engine, EngineError, RestoreOptions};
use crate::model::{Manifest, Part, PartManifest, RemovedRows, SnapshotInfo};
use crate::postgres::{Apply, Records, Since, Staged};
use crate::store::{Reader, StoreError, Written};
use crate::threads;
use crate::tree::{BuildError, Cursor, Layout, TreeBuilder, fields};

/// A block of lines is sent once it has so many bytes.
const BLOCK: usize = 128 << 10;

/// What a restore does to rows of a table that is not backed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherRows {
    pub table: String,
    /// Rows that go: records of requests whose rows are undone. The safety backup keeps them.
    pub removed: u64,
    /// Rows that come back: an earlier restore removed them, and this one undoes it.
    pub inserted: u64,
}

impl OtherRows {
    /// None, if nothing is done.
    pub(in crate::engine) fn some(records: &Records, (removed, inserted): (u64, u64)) -> Vec<Self> {
        let table = records.table.name.clone();
        let rows = Self { table, removed, inserted };
        if (removed, inserted) == (0, 0) { Vec::new() } else { vec![rows] }
    }
}

/// From when on records are newer than this backup.
pub(in crate::engine) fn since(manifest: &Manifest, live: &SnapshotInfo) -> Since {
    let then = &manifest.snapshot;
    let same = then.system_identifier.is_some()
        && !then.visible.is_empty()
        && (&then.system_identifier, &then.database) == (&live.system_identifier, &live.database);
    Since { taken_at: then.taken_at.clone(), visible: same.then(|| then.visible.clone()) }
}

/// The columns in which the kept records fit into the table as it is now; none if that cannot be.
pub(in crate::engine) fn fitting<'m>(
    kept: &'m RemovedRows,
    records: &Records,
) -> Option<Vec<&'m str>> {
    let (then, now) = (&kept.schema, &records.table);
    let fits = |column: &&str| now.column(column).is_some();
    (then.key == now.key).then(|| then.column_names().filter(fits).collect())
}

/// What a restore does to records of requests.
pub(in crate::engine) struct Exchange<'m> {
    /// Their table, if the site has one.
    pub records: Option<Records>,
    /// How many are chosen to go.
    pub chosen: u64,
    /// Whether some are staged that come back, and their columns.
    returning: Option<Vec<&'m str>>,
}

impl Exchange<'_> {
    /// Removes and brings back.
    pub async fn carry_out(self, apply: &mut Apply<'_>) -> Result<Vec<OtherRows>, EngineError> {
        let Some(records) = self.records else { return Ok(Vec::new()) };
        let (chosen, returning) = (self.chosen > 0, self.returning.as_deref());
        let done = apply.exchange_records(&records, chosen, returning).await?;
        Ok(OtherRows::some(&records, done))
    }
}

impl Engine {
    /// Chooses the records of requests that go, and stages those that come back.
    pub(in crate::engine) async fn exchange<'m>(
        &self,
        apply: &mut Apply<'_>,
        records: Option<Records>,
        (manifest, live, reader): (&'m Manifest, &SnapshotInfo, &Reader),
        staged: &Staged,
        options: &RestoreOptions,
    ) -> Result<Exchange<'m>, EngineError> {
        let mut exchange = Exchange { records, chosen: 0, returning: None };
        let Some(records) = &exchange.records else { return Ok(exchange) };
        let all = options.is_all();
        // A merge undoes nothing.
        if !options.merge && staged.values().any(|counts| !counts.is_zero()) {
            let since = since(manifest, live);
            exchange.chosen = apply.choose_records(records, &since, all, true).await?.count;
        }
        let kept = manifest.removed.first().filter(|_| all);
        if let Some((kept, columns)) = kept.and_then(|kept| Some((kept, fitting(kept, records)?))) {
            self.stage_records(apply, records, (kept, &columns), reader.clone()).await?;
            exchange.returning = Some(columns);
        }
        Ok(exchange)
    }

    /// Writes the chosen records into the store, as a tree that is yet to be published.
    pub(in crate::engine) async fn keep_records(
        &self,
        apply: &mut Apply<'_>,
        (records, part): (&Records, &Arc<Part>),
    ) -> Result<(RemovedRows, Written), EngineError> {
        let writer = self.store.writer().await?;
        let mut into = writer.clone();
        let (layout, rules) = (Layout::from(&records.table), self.tree_rules());
        let (sender, mut blocks) = mpsc::channel::<Vec<u8>>(4);
        let made = part.clone();
        let making = threads::spawn(move || {
            let mut sorter = Sorter::new(made.clone(), layout.clone(), rules.max_row);
            let mut lines = Vec::new();
            while let Some(block) = blocks.blocking_recv() {
                lines.extend_from_slice(&block);
                let mut rest = &lines[..];
                while let Some(end) = memchr(b'\n', rest) {
                    sorter.push(&rest[..end])?;
                    rest = &rest[end + 1..];
                }
                lines = rest.to_vec();
            }
            let building = |error: BuildError<StoreError>| EngineError::building(&made.name, error);
            let mut builder = TreeBuilder::new(&layout, rules.splitter);
            drain(vec![sorter], |key, row| {
                builder.push_keyed(key, row, &mut into).map_err(building)
            })?;
            builder.finish(&mut into).map_err(building)
        });
        let read = apply.read_records(records, &sender).await;
        drop(sender);
        let root = making.await.expect("making a tree does not panic");
        read?;
        let root = root.map_err(|error| error.with_column_of(&records.table))?;
        let part = PartManifest {
            name: part.name.clone(),
            dataset: part.dataset.clone(),
            table: part.table.clone(),
            root: root.id,
            rows: root.rows,
            bytes: root.bytes,
        };
        Ok((RemovedRows { part, schema: records.table.clone() }, writer.finish().await?))
    }

    /// Stages the records that an earlier restore removed.
    pub(in crate::engine) async fn stage_records(
        &self,
        apply: &mut Apply<'_>,
        records: &Records,
        (kept, columns): (&RemovedRows, &[&str]),
        reader: Reader,
    ) -> Result<(), EngineError> {
        let (sender, lines) = mpsc::channel(4);
        let (layout, root) = (Layout::from(&kept.schema), kept.part.root);
        let places: Vec<_> =
            columns.iter().filter_map(|column| kept.schema.column(column)).collect();
        let reading = threads::spawn(move || -> Result<(), EngineError> {
            let mut block = Vec::with_capacity(2 * BLOCK);
            let mut cursor = Cursor::new(&reader, &layout, &root)?;
            while let Some((_, row)) = cursor.next_row()? {
                let cells: Vec<_> = fields(&row).collect();
                let cells: Vec<_> = places.iter().map(|place| cells[*place]).collect();
                block.extend_from_slice(&cells.join(&b'\t'));
                block.push(b'\n');
                if block.len() >= BLOCK && sender.blocking_send(std::mem::take(&mut block)).is_err()
                {
                    return Ok(());
                }
            }
            // A receiver that went away has its own reason to tell.
            let _ = sender.blocking_send(block);
            Ok(())
        });
        let staged = apply.stage_records(records, columns, lines).await;
        reading.await.expect("reading a tree does not panic")?;
        Ok(staged?)
    }
}
