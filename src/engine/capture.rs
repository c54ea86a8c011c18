//! The first primitive: one consistent snapshot of the tables, as trees.
//!
//! Rows flow from COPY through a bounded queue to a thread that makes the tree; so reading,
//! hashing and compressing go on side by side, and memory holds a few blocks whatever comes.

use std::collections::VecDeque;
use std::sync::Mutex;

use futures::future::try_join_all;
use memchr::memchr;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::{EngineError, Run};
use crate::model::{PARTS, Part, PartManifest, Schema};
use crate::postgres::Session;
use crate::store::StoreError;
use crate::tree::split::Splitter;
use crate::tree::{BuildError, ChunkSink, Layout, Root, TreeBuilder};

/// Blocks that may wait between the database and the tree.
const QUEUE: usize = 4;

/// The largest parts come first, so that sessions that share the work end together.
const ORDER: [&str; 7] = [
    "prefixes",
    "vpc_subnets",
    "vpc_associations",
    "public_ips",
    "device42_ipaddresses",
    "vpcs",
    "vrfs",
];

/// Makes a sink for each part.
pub trait Sinks: Sync {
    /// What takes the chunks.
    type Sink: ChunkSink<Error = StoreError> + Send + 'static;

    /// The sink for this part.
    fn sink(&self, part: &'static Part) -> Self::Sink;
}

/// Reads all parts through these sessions, which see the same snapshot, and makes their trees.
pub async fn capture<S: Sinks>(
    sessions: &mut [&mut Session],
    schema: &Schema,
    splitter: Splitter,
    sinks: &S,
    run: &Run,
) -> Result<Vec<PartManifest>, EngineError> {
    let parts = ORDER.iter().filter_map(|name| Part::named(name));
    let there = parts.filter(|part| schema.table(part.table).is_some());
    let waiting: Mutex<VecDeque<&'static Part>> = Mutex::new(there.collect());
    let reader = |session| read_parts(session, &waiting, schema, splitter, sinks, run);
    let work: Vec<_> = sessions.iter_mut().map(|session| reader(&mut **session)).collect();
    let mut parts: Vec<_> = try_join_all(work).await?.into_iter().flatten().collect();
    parts.sort_by_key(|made| PARTS.iter().position(|part| part.name == made.name));
    Ok(parts)
}

/// Takes part after part until none waits.
async fn read_parts<S: Sinks>(
    session: &mut Session,
    waiting: &Mutex<VecDeque<&'static Part>>,
    schema: &Schema,
    splitter: Splitter,
    sinks: &S,
    run: &Run,
) -> Result<Vec<PartManifest>, EngineError> {
    let mut done = Vec::new();
    loop {
        let next = waiting.lock().expect("popping does not panic").pop_front();
        let Some(part) = next else { return Ok(done) };
        done.push(capture_part(session, schema, splitter, part, sinks.sink(part), run).await?);
    }
}

async fn capture_part<S: ChunkSink<Error = StoreError> + Send + 'static>(
    session: &mut Session,
    schema: &Schema,
    splitter: Splitter,
    part: &'static Part,
    sink: S,
    run: &Run,
) -> Result<PartManifest, EngineError> {
    let table = schema.table(part.table).expect("only parts of tables that are there");
    let layout = Layout::from(table);
    let (full, mut blocks) = mpsc::channel::<Vec<u8>>(QUEUE);
    let (to_tree, mut from_reader) = mpsc::channel::<Vec<u8>>(1);
    let building = spawn_blocking(move || build(&layout, splitter, &mut from_reader, sink));
    let count = async {
        while let Some(block) = blocks.recv().await {
            let rows = memchr::memchr_iter(b'\n', &block).count() as u64;
            run.advance(rows, block.len() as u64);
            if to_tree.send(block).await.is_err() {
                break;
            }
        }
        drop(to_tree);
    };
    let read = async {
        let done = session.copy_part(part, table, &full).await;
        drop(full);
        done
    };
    let (read, ()) = tokio::join!(read, count);
    let built = building.await.expect("making a tree does not panic");
    // A broken stream also ends the tree early; then the stream's error is the one to tell.
    read?;
    let root = built.map_err(|error| EngineError::building(part.name, error))?;
    Ok(PartManifest {
        name: part.name.to_owned(),
        dataset: part.dataset,
        table: part.table.to_owned(),
        root: root.id,
        rows: root.rows,
        bytes: root.bytes,
    })
}

/// Makes a tree of blocks of whole or cut rows.
fn build<S: ChunkSink<Error = StoreError>>(
    layout: &Layout,
    splitter: Splitter,
    blocks: &mut mpsc::Receiver<Vec<u8>>,
    mut sink: S,
) -> Result<Root, BuildError<StoreError>> {
    let mut builder = TreeBuilder::new(layout, splitter);
    let mut cut = Vec::new();
    while let Some(block) = blocks.blocking_recv() {
        let mut rest = &block[..];
        while let Some(end) = memchr(b'\n', rest) {
            if cut.is_empty() {
                builder.push(&rest[..end], &mut sink)?;
            } else {
                cut.extend_from_slice(&rest[..end]);
                builder.push(&cut, &mut sink)?;
                cut.clear();
            }
            rest = &rest[end + 1..];
        }
        cut.extend_from_slice(rest);
    }
    builder.finish(&mut sink)
}
