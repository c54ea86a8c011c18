//! Chunks out of packs: for threads that may block.

use std::ops::Range;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::model::{ChunkId, PackId};
use crate::store::chunks::cache::{ByteCache, cache};
use crate::store::format::frame::{Codec, Fault, Frame, HEADER, MAX_DEPTH};
use crate::store::format::pack::Entry;
use crate::store::index::location::{ChunkLocation, PackInfo};
use crate::store::index::lookup::Index;
use crate::store::{Store, StoreError, layout};
use crate::threads::locked;
use crate::tree::ChunkSource;

/// Packs are read in blocks of this size, so that neighbouring chunks cost one read.
const BLOCK: u64 = 256 << 10;
/// A longer frame is read by itself.
const LONG: u64 = 4 * BLOCK;
/// In a store that really lacks chunks, looking again and again would take its time.
const MOST_REFRESHES: u8 = 8;
/// Copies of one chunk that are tried. Bases have copies, too: the number of tries is a power of this.
const MOST_COPIES: usize = 4;
const BLOCK_CACHE: usize = 16 << 20;
const CHUNK_CACHE: usize = 8 << 20;
/// Bytes of a frame up to the end of its base's id.
const FRAME_HEAD: u64 = HEADER as u64 + 32;

/// Reads chunks. Every one that it gives has been checked against its id. Clones share caches.
///
/// Its methods block, and must not be called on a thread that drives asynchronous tasks.
#[derive(Debug, Clone)]
pub struct Reader(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    index: Mutex<Arc<Index>>,
    /// Number of times that the index was read anew because something was missing.
    refreshed: AtomicU8,
    blocks: Mutex<ByteCache<(PackId, u64)>>,
    chunks: Mutex<ByteCache<ChunkId>>,
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
    pub(in crate::store) fn new(store: &Store, index: Arc<Index>, beneath: Option<Self>) -> Self {
        Self(Arc::new(Shared {
            store: store.clone(),
            index: Mutex::new(index),
            refreshed: AtomicU8::new(0),
            blocks: Mutex::new(cache(BLOCK_CACHE)),
            chunks: Mutex::new(cache(CHUNK_CACHE)),
            beneath,
        }))
    }

    pub(in crate::store) fn index(&self) -> Arc<Index> {
        locked(&self.0.index).clone()
    }

    /// Another process may have published or swept since the index was read, and again; and an index
    /// object may have been wrong, which the packs themselves are asked about now.
    fn refresh(&self) -> Result<bool, StoreError> {
        let one_more = |times| (times < MOST_REFRESHES).then_some(times + 1);
        let counted = self.0.refreshed.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        if counted.is_err() {
            return Ok(false);
        }
        let index = self.0.store.0.runtime.block_on(self.0.store.proven_index())?;
        *locked(&self.0.index) = index;
        Ok(true)
    }

    /// A chunk on which `above` others stand.
    pub(in crate::store) fn read(&self, id: &ChunkId, above: u8) -> Result<Bytes, StoreError> {
        if let Some(bytes) = locked(&self.0.chunks).get(id) {
            return Ok(bytes.clone());
        }
        let bytes = match self.fetch(id, above) {
            Err(error) if self.may_be_elsewhere(&error) && self.refresh()? => {
                match (error, self.fetch(id, above)) {
                    // The packs tell nothing of it; the index object told in which it should be.
                    (named @ StoreError::ChunkDamaged { .. }, Err(StoreError::ChunkMissing(_))) => {
                        return Err(named);
                    }
                    (_, fetched) => fetched?,
                }
            }
            fetched => fetched?,
        };
        locked(&self.0.chunks).insert(*id, bytes.clone());
        Ok(bytes)
    }

    /// Returns whether another look at the packs may find what could not be read.
    fn may_be_elsewhere(&self, error: &StoreError) -> bool {
        let damaged = matches!(error, StoreError::ChunkDamaged { .. });
        is_stale(error) || (damaged && !self.index().is_proven())
    }

    /// The chunk from the first of its copies that gives it.
    fn fetch(&self, id: &ChunkId, above: u8) -> Result<Bytes, StoreError> {
        let index = self.index();
        let mut first = None;
        for spot in index.copies(id).take(MOST_COPIES) {
            match self.read_copy(&index, id, &spot, above) {
                Ok((_, raw)) => return Ok(raw),
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        match (first, &self.0.beneath) {
            (Some(error), _) => Err(error),
            (None, Some(beneath)) => beneath.read(id, above),
            (None, None) => Err(StoreError::ChunkMissing(*id)),
        }
    }

    /// The stored frame of exactly this copy, and the chunk that it gives.
    fn read_copy(
        &self,
        index: &Index,
        id: &ChunkId,
        spot: &ChunkLocation,
        above: u8,
    ) -> Result<(Bytes, Bytes), StoreError> {
        let pack = index.pack(spot);
        let damaged = |fault: Fault| StoreError::ChunkDamaged {
            id: *id,
            pack: pack.id,
            what: fault.to_string(),
        };
        let bytes = self.pack_bytes(pack, spot.range())?;
        let frame = frame_at(&bytes, id, spot).map_err(damaged)?;
        let base = match frame.base {
            Some(_) if above >= MAX_DEPTH => {
                return Err(damaged(Fault("too many bases stand behind it")));
            }
            Some(base) => Some(self.read(&base, above + 1)?),
            None => None,
        };
        let raw = frame.decode(base.as_deref()).map_err(damaged)?;
        Ok((bytes, raw.into()))
    }

    /// The base that decoding this frame really uses, whatever the pack's table says; `None` if it
    /// uses none, or if no such frame lies here.
    pub(in crate::store) fn base_at(
        &self,
        index: &Index,
        spot: &ChunkLocation,
    ) -> Result<Option<ChunkId>, StoreError> {
        let head = spot.range().start..(spot.range().start + FRAME_HEAD).min(spot.range().end);
        let bytes = match self.pack_bytes(index.pack(spot), head) {
            Err(error) if error.is_not_found() || self.is_unreadable(&error) => return Ok(None),
            bytes => bytes?,
        };
        let base = bytes.get(HEADER..).and_then(|payload| payload.first_chunk::<32>());
        Ok(base.filter(|_| spot.codec == Codec::Based).map(|base| ChunkId(*base)))
    }

    /// Returns whether it is about one file that cannot be read.
    pub(in crate::store) fn is_unreadable(&self, error: &StoreError) -> bool {
        self.0.store.objects().is_unreadable(error)
    }

    /// Bytes of a pack, by way of the blocks that its neighbours' readers share.
    fn pack_bytes(&self, pack: &PackInfo, range: Range<u64>) -> Result<Bytes, StoreError> {
        if range.end - range.start > LONG {
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
            return Ok(bytes.clone());
        }
        let bytes = self.load(pack, block * BLOCK..((block + 1) * BLOCK).min(pack.size))?;
        locked(&self.0.blocks).insert(place, bytes.clone());
        Ok(bytes)
    }

    /// The stored frame of exactly this copy, after it was found to give its chunk, and what the pack's
    /// table says of it.
    pub(in crate::store) fn checked_frame(
        &self,
        index: &Index,
        id: &ChunkId,
        spot: &ChunkLocation,
    ) -> Result<(Entry, Bytes), StoreError> {
        let (frame, _) = self.read_copy(index, id, spot, 0)?;
        let entry = index.entry_at(spot).ok_or(StoreError::ChunkMissing(*id))?;
        Ok((*entry, frame))
    }

    /// Returns whether exactly this copy gives its chunk. An error says what keeps it from that.
    pub(in crate::store) fn check_copy(
        &self,
        index: &Index,
        id: &ChunkId,
        spot: &ChunkLocation,
    ) -> Result<(), StoreError> {
        self.read_copy(index, id, spot, 0).map(drop)
    }

    pub(in crate::store) fn load(
        &self,
        pack: &PackInfo,
        range: Range<u64>,
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

/// Returns what there is of a range: a pack that shrank since it was listed gives less.
fn part(bytes: &Bytes, range: Range<u64>) -> Bytes {
    let within = |at: u64| usize::try_from(at).map_or(bytes.len(), |at| at.min(bytes.len()));
    bytes.slice(within(range.start)..within(range.end))
}

/// The frame that the index says is here, if it says the same of itself.
pub fn frame_at<'a>(
    bytes: &'a [u8],
    id: &ChunkId,
    spot: &ChunkLocation,
) -> Result<Frame<'a>, Fault> {
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
