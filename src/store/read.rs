//! Chunks out of packs: for threads that may block.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::cache::Cache;
use super::frame::{Fault, Frame, MAX_DEPTH};
use super::index::{Index, PackInfo, Spot};
use super::pack::Entry;
use super::{Store, StoreError, layout};
use crate::model::{ChunkId, PackId};
use crate::threads::locked;
use crate::tree::ChunkSource;

/// Packs are read in blocks of this size, so that neighbouring chunks cost one read.
const BLOCK: u64 = 256 << 10;
/// A longer frame is read by itself.
const LONG: u64 = 4 * BLOCK;
/// In a store that really lacks chunks, looking again and again would take its time.
const MOST_REFRESHES: u8 = 8;
const BLOCK_CACHE: usize = 16 << 20;
const CHUNK_CACHE: usize = 8 << 20;

/// Reads chunks. Every one that it gives has been checked against its id. Clones share caches.
///
/// Its methods block, and must not be called on a thread that drives asynchronous tasks.
#[derive(Debug, Clone)]
pub struct Reader(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    index: Mutex<Arc<Index>>,
    /// How often the index was read anew because something was missing.
    refreshed: AtomicU8,
    blocks: Mutex<Cache<(PackId, u64)>>,
    chunks: Mutex<Cache<ChunkId>>,
    beneath: Option<Reader>,
}

impl Store {
    /// A reader of all chunks that are there now.
    ///
    /// # Errors
    /// If the index cannot be put together.
    pub async fn reader(&self) -> Result<Reader, StoreError> {
        Ok(Reader::new(self, self.index().await?, None))
    }

    /// A reader of this store that turns to another reader for what it lacks: for a scratch store,
    /// which holds only what the store beneath does not.
    ///
    /// # Errors
    /// If the index cannot be put together.
    pub async fn reader_over(&self, beneath: Reader) -> Result<Reader, StoreError> {
        Ok(Reader::new(self, self.index().await?, Some(beneath)))
    }
}

impl Reader {
    fn new(store: &Store, index: Arc<Index>, beneath: Option<Self>) -> Self {
        Self(Arc::new(Shared {
            store: store.clone(),
            index: Mutex::new(index),
            refreshed: AtomicU8::new(0),
            blocks: Mutex::new(Cache::new(BLOCK_CACHE)),
            chunks: Mutex::new(Cache::new(CHUNK_CACHE)),
            beneath,
        }))
    }

    pub(super) fn index(&self) -> Arc<Index> {
        locked(&self.0.index).clone()
    }

    /// Another process may have published or swept since the index was read, and again.
    fn refresh(&self) -> Result<bool, StoreError> {
        let one_more = |times| (times < MOST_REFRESHES).then_some(times + 1);
        let counted = self.0.refreshed.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        if counted.is_err() {
            return Ok(false);
        }
        let index = self.0.store.0.runtime.block_on(self.0.store.index())?;
        *locked(&self.0.index) = index;
        Ok(true)
    }

    /// A chunk on which `above` others stand.
    pub(super) fn read(&self, id: &ChunkId, above: u8) -> Result<Bytes, StoreError> {
        if let Some(bytes) = locked(&self.0.chunks).get(id) {
            return Ok(bytes);
        }
        let bytes = match self.fetch(id, above) {
            Err(error) if is_stale(&error) && self.refresh()? => self.fetch(id, above)?,
            fetched => fetched?,
        };
        locked(&self.0.chunks).insert(*id, bytes.clone());
        Ok(bytes)
    }

    fn fetch(&self, id: &ChunkId, above: u8) -> Result<Bytes, StoreError> {
        let index = self.index();
        let Some(spot) = index.get(id) else {
            let beneath = self.0.beneath.as_ref().ok_or(StoreError::ChunkMissing(*id))?;
            return beneath.read(id, above);
        };
        let pack = index.pack(&spot);
        let damaged = |fault: Fault| StoreError::ChunkDamaged {
            id: *id,
            pack: pack.id,
            what: fault.to_string(),
        };
        let bytes = self.frame_bytes(pack, &spot)?;
        let frame = frame_at(&bytes, id, &spot).map_err(damaged)?;
        let base = match frame.base {
            Some(_) if above >= MAX_DEPTH => {
                return Err(damaged(Fault("too many bases stand behind it")));
            }
            Some(base) => Some(self.read(&base, above + 1)?),
            None => None,
        };
        frame.decode(base.as_deref()).map(Bytes::from).map_err(damaged)
    }

    fn frame_bytes(&self, pack: &PackInfo, spot: &Spot) -> Result<Bytes, StoreError> {
        let range = spot.range();
        if spot.frame_len() > LONG {
            return self.load(pack, range);
        }
        let (first, last) = (range.start / BLOCK, (range.end - 1) / BLOCK);
        let bytes = if first == last {
            self.block(pack, first)?
        } else {
            let blocks = (first..=last).map(|block| self.block(pack, block));
            blocks.collect::<Result<Vec<_>, _>>()?.concat().into()
        };
        let start = first * BLOCK;
        Ok(part(&bytes, range.start - start..range.end - start))
    }

    /// A block of a pack, which its neighbours' readers find in the cache.
    fn block(&self, pack: &PackInfo, block: u64) -> Result<Bytes, StoreError> {
        let place = (pack.id, block);
        if let Some(bytes) = locked(&self.0.blocks).get(&place) {
            return Ok(bytes);
        }
        let bytes = self.load(pack, block * BLOCK..((block + 1) * BLOCK).min(pack.size))?;
        locked(&self.0.blocks).insert(place, bytes.clone());
        Ok(bytes)
    }

    /// The stored frame of a chunk, after the chunk was read and found right.
    pub(super) fn checked_frame(&self, id: &ChunkId) -> Result<(Entry, Bytes), StoreError> {
        self.read(id, 0)?;
        let index = self.index();
        let lost = || StoreError::ChunkMissing(*id);
        let spot = index.get(id).ok_or_else(lost)?;
        let entry = *index.entry(id).ok_or_else(lost)?;
        Ok((entry, self.frame_bytes(index.pack(&spot), &spot)?))
    }

    pub(super) fn load(
        &self,
        pack: &PackInfo,
        range: std::ops::Range<u64>,
    ) -> Result<Bytes, StoreError> {
        let store = &self.0.store;
        let path = layout::pack(&pack.id);
        let read = store.objects().range(&path, range);
        // Outside of the runtime a file is read on this thread; over a network nothing goes without.
        if store.objects().folder.is_some() {
            futures::executor::block_on(read)
        } else {
            store.0.runtime.block_on(read)
        }
    }
}

/// What there is of a range: a pack that shrank since it was listed gives less.
fn part(bytes: &Bytes, range: std::ops::Range<u64>) -> Bytes {
    let within = |at: u64| usize::try_from(at).map_or(bytes.len(), |at| at.min(bytes.len()));
    bytes.slice(within(range.start)..within(range.end))
}

/// The frame that the index says is here, if it says the same of itself.
pub fn frame_at<'a>(bytes: &'a [u8], id: &ChunkId, spot: &Spot) -> Result<Frame<'a>, Fault> {
    let (frame, length) = Frame::parse(bytes)?;
    let same = frame.id == *id
        && frame.codec == spot.codec
        && frame.raw_len == spot.raw_len
        && frame.base == spot.base
        && length as u64 == spot.frame_len();
    if same { Ok(frame) } else { Err(Fault("its frame and its pack's table disagree")) }
}

fn is_stale(error: &StoreError) -> bool {
    matches!(error, StoreError::ChunkMissing(_)) || error.is_not_found()
}

impl ChunkSource for Reader {
    type Error = StoreError;

    fn chunk(&self, id: &ChunkId) -> Result<Bytes, StoreError> {
        self.read(id, 0)
    }
}
