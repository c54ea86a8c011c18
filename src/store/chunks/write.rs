//! Chunks into packs: skips what is there, compresses on the caller's thread.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::model::{ChunkId, PackId};
use crate::store::chunks::confirm::Written;
use crate::store::chunks::upload::Uploader;
use crate::store::format::encode::{Base, Encoder};
use crate::store::format::frame::MAX_DEPTH;
use crate::store::format::index_file;
use crate::store::format::pack::{Entry, Pack, PackBuilder};
use crate::store::index::lookup::Index;
use crate::store::{Store, StoreError, layout};
use crate::threads::locked;
use crate::tree::{ChunkPosition, ChunkSink, MAX_CHUNK};

/// A pack is closed once it has this many bytes.
pub(in crate::store) const PACK_SIZE: usize = 8 << 20;

/// Writes chunks into new packs. A clone writes to the same packs, from another thread.
///
/// Its methods block, and must not be called on a thread that drives asynchronous tasks. Whoever
/// writes what is to become a backup shares [`crate::store::Lock::Objects`] from before the writer is made
/// until the backup is published. If it is dropped without [`Writer::finish`], what it wrote is
/// removed by the next sweep.
pub struct Writer {
    shared: Arc<Shared>,
    encoder: Encoder,
}

struct Shared {
    store: Store,
    /// Indexes of chunks that need not be written: first the store's own, then those of stores beneath.
    known: Vec<Arc<Index>>,
    /// The chunks of this run with the number of bases behind each.
    seen: Mutex<HashMap<ChunkId, u8>>,
    /// Packs that were there and spared us a chunk.
    relied: Mutex<BTreeSet<PackId>>,
    open: Mutex<PackBuilder>,
    uploader: Uploader,
    raw_bytes: AtomicU64,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("store", &self.shared.store.place()).finish_non_exhaustive()
    }
}

impl Clone for Writer {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), encoder: Encoder::default() }
    }
}

impl Store {
    /// A writer of chunks that this store does not have.
    ///
    /// # Errors
    /// If the index cannot be put together.
    pub async fn writer(&self) -> Result<Writer, StoreError> {
        self.writer_beyond(&[]).await
    }

    /// A writer of chunks that neither this store has nor those with these indexes: for a scratch
    /// store that is read by [`Self::reader_over`].
    ///
    /// # Errors
    /// If the index cannot be put together.
    pub async fn writer_beyond(&self, beneath: &[Arc<Index>]) -> Result<Writer, StoreError> {
        let mut known = vec![self.proven_index().await?];
        known.extend_from_slice(beneath);
        let shared = Shared {
            store: self.clone(),
            known,
            seen: Mutex::default(),
            relied: Mutex::default(),
            open: Mutex::new(PackBuilder::with_capacity(0)),
            uploader: Uploader::start(self.objects().clone(), &self.0.runtime),
            raw_bytes: AtomicU64::new(0),
        };
        Ok(Writer { shared: Arc::new(shared), encoder: Encoder::default() })
    }
}

impl Shared {
    /// The number of bases behind a chunk that was there before; notes that we rely on it.
    fn rely(&self, id: &ChunkId) -> Option<u8> {
        let (place, index, spot) = self
            .known
            .iter()
            .enumerate()
            .find_map(|(place, index)| Some((place, index, index.reliable(id)?)))?;
        if place == 0 {
            locked(&self.relied).extend(index.packs_behind(id));
        }
        Some(spot.depth)
    }

    /// Returns whether the chunk is still to be written; from now on it is ours.
    fn claim(&self, id: ChunkId) -> bool {
        // Until it is encoded nothing may be stored against it: hence the greatest depth.
        let mut seen = locked(&self.seen);
        let new = !seen.contains_key(&id);
        if new {
            seen.insert(id, MAX_DEPTH);
        }
        new
    }

    /// Adds a chunk to the open pack, and sends off the pack that it filled.
    fn add(&self, push: impl FnOnce(&mut PackBuilder)) -> Result<(), StoreError> {
        let mut open = locked(&self.open);
        if open.is_empty() {
            *open = PackBuilder::with_capacity(PACK_SIZE + PACK_SIZE / 8);
        }
        push(&mut open);
        if open.len() < PACK_SIZE {
            return Ok(());
        }
        let full = std::mem::replace(&mut *open, PackBuilder::with_capacity(0));
        drop(open);
        self.uploader.send(full.finish())
    }
}

impl Writer {
    /// Returns whether the chunk is there already, so that it need not be put.
    #[must_use]
    pub fn knows(&self, id: &ChunkId) -> bool {
        self.shared.rely(id).is_some() || locked(&self.shared.seen).contains_key(id)
    }

    /// Takes a chunk as [`ChunkSink::put`] does, and stores only how it differs from `base` (a chunk
    /// that is in the store, with its bytes) where that makes it much smaller.
    ///
    /// # Errors
    /// If the chunk is too large or packs cannot be stored.
    pub fn put_with_base(
        &mut self,
        id: ChunkId,
        bytes: &[u8],
        base: Option<(ChunkId, &[u8])>,
    ) -> Result<(), StoreError> {
        if bytes.len() > MAX_CHUNK {
            return Err(StoreError::TooLarge(bytes.len()));
        }
        if self.shared.rely(&id).is_some() || !self.shared.claim(id) {
            return Ok(());
        }
        let length = bytes.len();
        let base = base.and_then(|(id, bytes)| Some(Base { id, bytes, depth: self.depth(&id)? }));
        let chunk =
            self.encoder.encode(id, bytes, base).map_err(|_| StoreError::TooLarge(length))?;
        locked(&self.shared.seen).insert(id, chunk.depth);
        self.shared.raw_bytes.fetch_add(length as u64, Ordering::Relaxed);
        self.shared.add(|open| open.push(&chunk))
    }

    /// Takes a chunk as another store keeps it, after its frame was checked there; says whether it could.
    /// It cannot if the base is not here, or too many stand behind it.
    ///
    /// # Errors
    /// If packs cannot be stored.
    pub(in crate::store) fn put_frame(
        &mut self,
        entry: &Entry,
        frame: &[u8],
    ) -> Result<bool, StoreError> {
        let depth = match entry.base.map(|base| self.depth(&base)) {
            None => 0,
            Some(Some(depth)) if depth < MAX_DEPTH => depth + 1,
            Some(_) => return Ok(false),
        };
        if self.shared.rely(&entry.id).is_some() || !self.shared.claim(entry.id) {
            return Ok(true);
        }
        locked(&self.shared.seen).insert(entry.id, depth);
        self.shared.raw_bytes.fetch_add(entry.raw_len.into(), Ordering::Relaxed);
        let entry = Entry { depth, ..*entry };
        self.shared.add(|open| open.push_frame(&entry, frame))?;
        Ok(true)
    }

    /// The number of bases behind a chunk that others may stand on.
    fn depth(&self, id: &ChunkId) -> Option<u8> {
        let ours = locked(&self.shared.seen).get(id).copied();
        ours.or_else(|| self.shared.rely(id))
    }

    /// Waits until everything is durable: the packs, then the index over them. All clones must be
    /// done; what they put afterwards is refused.
    ///
    /// # Errors
    /// If something could not be stored; nothing that was written may then be relied on.
    pub async fn finish(self) -> Result<Written, StoreError> {
        let Shared { store, open, uploader, relied, .. } = &*self.shared;
        let open = std::mem::replace(&mut *locked(open), PackBuilder::with_capacity(0));
        let last: Option<Pack> = (!open.is_empty()).then(|| open.finish());
        let packs = uploader.finish(last).await?;
        let written = Written {
            // All but the one that makes the pack's name unique.
            new_chunks: packs.iter().map(|pack| pack.entries.len() as u64 - 1).sum(),
            new_raw_bytes: self.shared.raw_bytes.load(Ordering::Relaxed),
            stored_bytes: packs.iter().map(|pack| pack.size).sum(),
            packs: packs.iter().map(|pack| pack.pack).collect(),
            relied: std::mem::take(&mut *locked(relied)),
        };
        if !packs.is_empty() {
            let (id, bytes) = index_file::encode(&packs);
            store.objects().put(&layout::index(&id), bytes.into()).await?;
        }
        Ok(written)
    }
}

impl ChunkSink for Writer {
    type Error = StoreError;

    fn put(
        &mut self,
        _: &ChunkPosition<'_>,
        id: ChunkId,
        bytes: Vec<u8>,
    ) -> Result<(), StoreError> {
        self.put_with_base(id, &bytes, None)
    }
}
