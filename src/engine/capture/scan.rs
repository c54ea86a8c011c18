//! The first primitive: one consistent snapshot of the tables, as trees.
//!
//! Each table is read once, in whatever order its rows lie. Blocks of rows flow through a bounded
//! queue to a thread that sorts them, part by part; once a table is read, the trees of its parts
//! grow while the next table is read. So reading, sorting, hashing and compressing go on side by
//! side, and memory holds a few blocks and the runs of the sorters whatever comes.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures::future::try_join_all;
use tokio::sync::mpsc;

use crate::engine::capture::build::Growing;
use crate::engine::capture::rows::{QUEUE, Taken, each_row};
use crate::engine::capture::sort::Sorter;
use crate::engine::{EngineError, Run};
use crate::model::{ChunkId, Part, PartManifest, Profile, Schema, Table};
use crate::postgres::{Pages, Session};
use crate::store::StoreError;
use crate::threads::{self, locked};
use crate::tree::split::Splitter;
use crate::tree::{ChunkSink, Layout};

/// A table with so many pages is read by all sessions at once.
const LARGE: u64 = 1_000;

/// How the rows that are read become trees.
#[derive(Debug, Clone, Copy)]
pub struct TreeRules {
    /// Where leaves and nodes end.
    pub splitter: Splitter,
    /// The most bytes that a row may have as COPY text.
    pub max_row: usize,
}

/// Makes a sink for each part.
pub trait Sinks: Clone + Send + Sync + 'static {
    /// What takes the chunks.
    type Sink: ChunkSink<Error = StoreError> + Send + 'static;

    /// The sink for this part.
    fn sink(&self, part: &Part) -> Self::Sink;

    /// Whether this chunk need not be put, as it is where the others go to, or none is kept.
    fn has(&self, id: &ChunkId) -> bool;
}

/// Reads all parts through these sessions, which see the same snapshot, and makes their trees.
pub async fn capture<S: Sinks>(
    sessions: &mut [&mut Session],
    (profile, schema): (&Profile, &Schema),
    rules: TreeRules,
    sinks: &S,
    run: &Run,
) -> Result<Vec<PartManifest>, EngineError> {
    let pieces = Mutex::new(plan(sessions, (profile, schema), rules.max_row).await?);
    let growing = Mutex::new(Growing::new(rules.splitter));
    let read = |session| read_pieces(session, &pieces, &growing, sinks, run);
    try_join_all(sessions.iter_mut().map(|session| read(&mut **session))).await?;
    let growing = growing.into_inner().expect("nothing panics while it holds the trees");
    let mut parts = growing.finish().await?;
    in_order(&mut parts, profile);
    Ok(parts)
}

/// Brings the trees into the order of the profile's parts.
pub fn in_order(parts: &mut [PartManifest], profile: &Profile) {
    parts.sort_by_key(|made| profile.parts.iter().position(|part| part.name == made.name));
}

/// Takes piece after piece until none waits.
async fn read_pieces<S: Sinks>(
    session: &mut Session,
    pieces: &Mutex<VecDeque<Piece<'_>>>,
    growing: &Mutex<Growing>,
    sinks: &S,
    run: &Run,
) -> Result<(), EngineError> {
    loop {
        let next = locked(pieces).pop_front();
        let Some(Piece { reading, pages }) = next else { return Ok(()) };
        let sorters = reading.read(session, pages, run).await?;
        for (part, sorters) in reading.add(sorters) {
            let layout = reading.layout.clone();
            let sink = sinks.sink(&part);
            locked(growing).begin(part, layout, sorters, sink);
        }
    }
}

/// All tables in pieces, the largest first, so that sessions end together. A large one is cut: then
/// its trees can be begun early, and no session waits for another.
async fn plan<'s>(
    sessions: &mut [&mut Session],
    (profile, schema): (&Profile, &'s Schema),
    max_row: usize,
) -> Result<VecDeque<Piece<'s>>, EngineError> {
    let pages = sessions[0].pages(schema).await?;
    let mut tables: Vec<_> = pages.into_iter().zip(&schema.tables).collect();
    tables.sort_by_key(|(pages, _)| Reverse(*pages));
    let cut = |(pages, table)| {
        let count = if pages < LARGE { 1 } else { sessions.len() };
        let reading = Arc::new(Reading::new(profile, table, count, max_row));
        Pages::cut(pages, count as u64).map(move |pages| Piece { reading: reading.clone(), pages })
    };
    Ok(tables.into_iter().flat_map(cut).collect())
}

/// Some pages of a table.
struct Piece<'s> {
    reading: Arc<Reading<'s>>,
    pages: Pages,
}

/// A table that is being read.
struct Reading<'s> {
    table: &'s Table,
    parts: Vec<Arc<Part>>,
    layout: Layout,
    max_row: usize,
    sorted: Mutex<Sorted>,
}

/// How many pieces are still to be sorted, and for each part the sorters of the others.
struct Sorted {
    open: usize,
    by_part: Vec<Vec<Sorter>>,
}

impl<'s> Reading<'s> {
    fn new(profile: &Profile, table: &'s Table, pieces: usize, max_row: usize) -> Self {
        let parts: Vec<_> = profile.parts_of(&table.name).cloned().collect();
        let by_part = parts.iter().map(|_| Vec::new()).collect();
        let sorted = Mutex::new(Sorted { open: pieces, by_part });
        Self { table, parts, layout: Layout::from(table), max_row, sorted }
    }

    /// Reads some pages, into a sorter for each part.
    async fn read(
        &self,
        session: &mut Session,
        pages: Pages,
        run: &Run,
    ) -> Result<Vec<Sorter>, EngineError> {
        let new = |part: &Arc<Part>| Sorter::new(part.clone(), self.layout.clone(), self.max_row);
        let mut sorters: Vec<_> = self.parts.iter().map(new).collect();
        let (full, blocks) = mpsc::channel::<Vec<u8>>(QUEUE);
        let progress = run.progress_sender();
        let sorting = threads::spawn(move || {
            let taken =
                each_row(blocks, sorters.len(), &progress, |part, row| sorters[part].push(row))?;
            Ok::<_, EngineError>((taken == Taken::All).then_some(sorters))
        });
        let read = session.copy_table(self.table, &self.parts, pages, &full).await;
        drop(full);
        let sorted = sorting.await.expect("sorting does not panic");
        // A broken stream also ends the rows early; then the stream's error is the one to tell.
        if let Err(error) = read {
            return Err(session.name_unreadable(error, self.table).await.into());
        }
        let unknown = || EngineError::OutsideDatasets(self.table.name.clone());
        sorted.map_err(|error| error.with_column_of(self.table))?.ok_or_else(unknown)
    }

    /// Adds the sorters of a piece. All sorters of each part, if it was the last piece.
    fn add(&self, sorters: Vec<Sorter>) -> Vec<(Arc<Part>, Vec<Sorter>)> {
        let mut sorted = locked(&self.sorted);
        sorted.by_part.iter_mut().zip(sorters).for_each(|(part, sorter)| part.push(sorter));
        sorted.open -= 1;
        if sorted.open > 0 {
            return Vec::new();
        }
        let by_part = std::mem::take(&mut sorted.by_part);
        self.parts.iter().cloned().zip(by_part).collect()
    }
}
