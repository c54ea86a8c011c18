//! Where the chunks of a capture go.

use std::collections::BTreeMap;

use crate::engine::capture::scan::Sinks;
use crate::engine::snapshot::Snapshot;
use crate::model::{ChunkId, Part, Schema};
use crate::store::{Reader, StoreError, Writer};
use crate::tree::{ChunkPosition, ChunkSink, ChunkSource, chunk_at};

/// Into a store, each new chunk against the one that stood in its place in an earlier backup.
#[derive(Clone)]
pub struct IntoStore {
    writer: Writer,
    earlier: Option<(Reader, BTreeMap<String, ChunkId>)>,
}

impl IntoStore {
    /// Chunks go to this writer as they are.
    pub fn new(writer: Writer) -> Self {
        Self { writer, earlier: None }
    }

    /// Chunks go to this writer as changes of those in `earlier`, where its tables are the same.
    pub fn after(writer: Writer, earlier: Snapshot, schema: &Schema) -> Self {
        let same = |table: &str| {
            let columns = |schema: &Schema| {
                let table = schema.table(table)?;
                Some((table.columns.clone(), table.groups.clone()))
            };
            columns(schema) == columns(&earlier.schema)
        };
        let parts = earlier.parts.iter().filter(|part| same(&part.table));
        let roots = parts.map(|part| (part.name.clone(), part.root)).collect();
        Self { writer, earlier: Some((earlier.reader, roots)) }
    }

    /// The writer, to be finished.
    pub fn into_writer(self) -> Writer {
        self.writer
    }
}

impl Sinks for IntoStore {
    type Sink = PartSink;

    fn sink(&self, part: &Part) -> PartSink {
        let earlier = self.earlier.as_ref();
        let earlier =
            earlier.and_then(|(reader, roots)| Some((reader.clone(), *roots.get(&part.name)?)));
        PartSink { writer: self.writer.clone(), earlier }
    }

    fn has(&self, id: &ChunkId) -> bool {
        self.writer.knows(id)
    }
}

/// Takes the chunks of one part.
pub struct PartSink {
    writer: Writer,
    earlier: Option<(Reader, ChunkId)>,
}

impl ChunkSink for PartSink {
    type Error = StoreError;

    fn put(
        &mut self,
        place: &ChunkPosition<'_>,
        id: ChunkId,
        bytes: Vec<u8>,
    ) -> Result<(), StoreError> {
        if self.writer.knows(&id) {
            return Ok(());
        }
        // Damage in an earlier backup must not keep a new one from being made.
        let base = self.earlier.as_ref().and_then(|(reader, root)| {
            let base = chunk_at(reader, root, place).ok()??;
            Some((base, reader.chunk(&base).ok()?))
        });
        let base = base.as_ref().map(|(id, bytes)| (*id, &bytes[..]));
        self.writer.put_with_base(id, &bytes, base)
    }
}

/// Nowhere: only the roots are wanted.
#[derive(Clone)]
pub struct Nowhere;

impl Sinks for Nowhere {
    type Sink = Self;

    fn sink(&self, _: &Part) -> Self {
        Self
    }

    fn has(&self, _: &ChunkId) -> bool {
        true
    }
}

impl ChunkSink for Nowhere {
    type Error = StoreError;

    fn put(&mut self, _: &ChunkPosition<'_>, _: ChunkId, _: Vec<u8>) -> Result<(), StoreError> {
        Ok(())
    }
}
