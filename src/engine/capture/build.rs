//! Trees that grow beside the reading, each on a thread of its own.

use std::num::NonZero;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::engine::EngineError;
use crate::engine::capture::sort::{Sorter, drain};
use crate::model::{Part, PartManifest};
use crate::store::StoreError;
use crate::threads;
use crate::tree::split::Splitter;
use crate::tree::{BuildError, ChunkSink, Layout, Root, TreeBuilder};

/// After so many rows a tree looks whether anybody still waits for it.
const LOOK_UP: u64 = 1_000;

/// What becomes of a tree.
type Grown = Result<Root, EngineError>;

/// Trees that were begun. They end early if nobody waits for them any more.
pub struct Growing {
    splitter: Splitter,
    /// As many may grow at once as there are processors; so memory is bounded.
    room: Arc<Semaphore>,
    begun: Vec<(Arc<Part>, JoinHandle<Grown>)>,
    stop: CancellationToken,
    _stopped: DropGuard,
}

impl Growing {
    /// None yet.
    pub fn new(splitter: Splitter) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let stop = CancellationToken::new();
        Self {
            splitter,
            room: Arc::new(Semaphore::new(processors)),
            begun: Vec::new(),
            stop: stop.clone(),
            _stopped: stop.drop_guard(),
        }
    }

    /// Begins the tree of a part, whose rows these sorters took.
    pub fn begin<S: ChunkSink<Error = StoreError> + Send + 'static>(
        &mut self,
        part: Arc<Part>,
        layout: Layout,
        sorters: Vec<Sorter>,
        sink: S,
    ) {
        let (room, splitter, stop) = (self.room.clone(), self.splitter, self.stop.clone());
        let grown = part.clone();
        let growing = async move {
            let _place = room.acquire_owned().await.expect("it is never closed");
            let made =
                threads::spawn(move || grow(&grown, sorters, &layout, splitter, sink, &stop));
            made.await.expect("making a tree does not panic")
        };
        self.begun.push((part, tokio::spawn(growing)));
    }

    /// Waits for all.
    pub async fn finish(self) -> Result<Vec<PartManifest>, EngineError> {
        let mut parts = Vec::new();
        for (part, root) in self.begun {
            let root = root.await.expect("making a tree does not panic")?;
            parts.push(PartManifest {
                name: part.name.clone(),
                dataset: part.dataset.clone(),
                table: part.table.clone(),
                root: root.id,
                rows: root.rows,
                bytes: root.bytes,
            });
        }
        Ok(parts)
    }
}

fn grow<S: ChunkSink<Error = StoreError>>(
    part: &Part,
    sorters: Vec<Sorter>,
    layout: &Layout,
    splitter: Splitter,
    mut sink: S,
    stop: &CancellationToken,
) -> Result<Root, EngineError> {
    let mut builder = TreeBuilder::new(layout, splitter);
    let building = |error: BuildError<StoreError>| EngineError::building(&part.name, error);
    let mut rows = 0_u64;
    drain(sorters, |key, row| {
        // Asking takes a lock: at each row that was 2 % of a restore.
        if rows.is_multiple_of(LOOK_UP) && stop.is_cancelled() {
            return Err(EngineError::Interrupted);
        }
        rows += 1;
        builder.push_keyed(key, row, &mut sink).map_err(building)
    })?;
    builder.finish(&mut sink).map_err(building)
}
