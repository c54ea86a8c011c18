//! The trees of a snapshot, made again with fewer columns, so that they compare with another's.

use crate::engine::capture::scan::Sinks;
use crate::engine::capture::sink::IntoStore;
use crate::engine::snapshot::Snapshot;
use crate::engine::{Engine, EngineError};
use crate::model::{PartManifest, Schema, Table};
use crate::store::{Reader, Store, StoreError};
use crate::threads;
use crate::tree::split::Splitter;
use crate::tree::{BuildError, ChunkSink, Cursor, Head, Layout, TreeBuilder, fields};

/// Which fields of a row of one table make a row of another.
#[derive(Debug, Clone)]
pub struct Projection(Option<Vec<usize>>);

impl Projection {
    /// Of rows of `from`, which has all columns of `to`.
    pub fn new(from: &Table, to: &Table) -> Self {
        if from.is_stored_as(to) {
            return Self(None);
        }
        let place = |name: &str| from.column(name).expect("a common column is in both tables");
        Self(Some(to.column_names().map(place).collect()))
    }

    /// The row with the other table's columns.
    pub fn row(&self, row: &[u8]) -> Vec<u8> {
        let Some(places) = &self.0 else { return row.to_vec() };
        let fields: Vec<_> = fields(row).collect();
        let picked: Vec<_> = places.iter().map(|place| fields[*place]).collect();
        picked.join(&b'\t')
    }

    /// The fields of a row that the other table has not.
    pub fn rest<'r>(&self, row: &'r [u8]) -> Vec<&'r [u8]> {
        let Some(places) = &self.0 else { return Vec::new() };
        let left = fields(row).enumerate().filter(|(place, _)| !places.contains(place));
        left.map(|(_, field)| field).collect()
    }
}

impl Engine {
    /// The snapshot with the tables and columns of `to`, all of which it has. What has the same columns
    /// keeps its trees; the others lie in a store of their own, which goes with the reader.
    pub(in crate::engine) async fn project(
        &self,
        snapshot: &Snapshot,
        to: &Schema,
    ) -> Result<Snapshot, EngineError> {
        let from = &snapshot.schema;
        let projected = snapshot.clone().with_tables_of(to);
        let tables = |part: &PartManifest| from.table(&part.table).zip(to.table(&part.table));
        let same =
            |part: &PartManifest| tables(part).is_none_or(|(from, to)| from.is_stored_as(to));
        if projected.parts.iter().all(same) {
            return Ok(projected);
        }
        let aside = Store::scratch(&tempfile::env::temp_dir()).await?;
        let sinks = IntoStore::new(aside.writer_beyond(&[self.store.index().await?]).await?);
        let mut made = Vec::with_capacity(projected.parts.len());
        for part in projected.parts {
            let Some((from, to)) = tables(&part).filter(|(from, to)| !from.is_stored_as(to)) else {
                made.push(part);
                continue;
            };
            let named = snapshot.profile.part(&part.name).expect("a part of its profile");
            let (from, to, splitter) = (from.clone(), to.clone(), self.tree_rules().splitter);
            let (reader, sink) = (snapshot.reader.clone(), sinks.sink(named));
            let work = move || again(&reader, part, (&from, &to), splitter, sink);
            made.push(threads::spawn(work).await.expect("making a tree does not panic")?);
        }
        sinks.into_writer().finish().await?;
        let reader = aside.reader_over(snapshot.reader.clone()).await?;
        Ok(Snapshot { parts: made, reader, ..projected })
    }
}

/// Makes a tree again with other columns. Blocks.
fn again(
    reader: &Reader,
    part: PartManifest,
    (from, to): (&Table, &Table),
    splitter: Splitter,
    mut sink: impl ChunkSink<Error = StoreError>,
) -> Result<PartManifest, EngineError> {
    let (old, new) = (Layout::from(from), Layout::from(to));
    let projection = Projection::new(from, to);
    let name = part.name.clone();
    let building = |error: BuildError<StoreError>| EngineError::building(&name, error);
    let mut cursor = Cursor::new(reader, &old, &part.root)?;
    let mut builder = TreeBuilder::new(&new, splitter);
    loop {
        match cursor.head() {
            Head::End => break,
            Head::Subtree(..) => cursor.open()?,
            Head::Row(_) => {
                if let Some((_, row)) = cursor.take_row()? {
                    builder.push(&projection.row(&row), &mut sink).map_err(building)?;
                }
            }
        }
    }
    let root = builder.finish(&mut sink).map_err(building)?;
    Ok(PartManifest { root: root.id, rows: root.rows, bytes: root.bytes, ..part })
}
