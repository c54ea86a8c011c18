//! Chunks from one store into another: only those travel that the other lacks, as the frames that they
//! are. Each is checked against its id before it is sent, and again after it has arrived.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use tokio_util::sync::CancellationToken;

use crate::model::{ChunkId, Manifest, PackId};
use crate::store::chunks::confirm::Written;
use crate::store::format::frame::MAX_DEPTH;
use crate::store::format::index_file;
use crate::store::gc::reach;
use crate::store::index::deletion_marks;
use crate::store::index::deletion_marks::Damaged;
use crate::store::index::location::Source;
use crate::store::{Reader, Store, StoreError, Writer, layout};
use crate::threads;
use crate::tree::{ChunkKind, ChunkSource, walk};

/// Tells which of two stores failed.
#[derive(Debug)]
pub enum TransferError {
    /// The store that is copied.
    Source(StoreError),
    /// The store that is copied into.
    Target(StoreError),
}

use TransferError::{Source as AtSource, Target as AtTarget};

/// Chunks that another store was found to hold, and packs of it that are yet to be read back.
#[derive(Debug, Default)]
pub struct Seen {
    chunks: HashSet<ChunkId>,
    unread: BTreeSet<PackId>,
}

impl Store {
    /// Finds packs that no index object names: whoever wrote them may have ended before they were read
    /// back. To be called before anything else of a store that was just opened.
    ///
    /// # Errors
    /// If the index cannot be put together.
    pub async fn begin_transfers(&self) -> Result<Seen, StoreError> {
        let index = self.index().await?;
        let unread = index.packs().iter().filter(|pack| pack.source != Source::IndexObject);
        let unread = unread.map(|pack| pack.id).collect();
        Ok(Seen { unread, chunks: HashSet::new() })
    }

    /// Returns whether this store lacks a chunk that a backup of another store needs, as far as the
    /// listing of its packs and what is known of damage tell. No chunk of this store is read.
    ///
    /// # Errors
    /// If a node of the backup cannot be read there, or the index not be put together here.
    pub async fn lacks_chunks(
        &self,
        source: Reader,
        manifest: &Manifest,
        seen: &mut Seen,
    ) -> Result<bool, TransferError> {
        let index = self.index().await.map_err(AtTarget)?;
        let manifests = [manifest.clone()];
        let mut there = std::mem::take(&mut seen.chunks);
        let work = move || {
            let mut lacks = false;
            let mut new = HashSet::new();
            let profiles = reach::profiles(&manifests, &source.index());
            lacks |= profiles.iter().any(|id| index.reliable(id).is_none());
            for root in reach::roots(&manifests) {
                let walked = walk(&source, &root, &mut |id, _| {
                    let is_new = there.insert(*id);
                    if is_new {
                        new.insert(*id);
                        lacks |= index.reliable(id).is_none();
                    }
                    is_new
                });
                walked.map_err(|error| of_source(&source, &root, error))?;
            }
            if lacks {
                // Who needs the same is to find it lacking, too.
                there.retain(|id| !new.contains(id));
            }
            Ok((lacks, there))
        };
        let (lacks, there) = threads::spawn(work).await.expect("walking does not panic")?;
        seen.chunks = there;
        Ok(lacks)
    }

    /// Copies what a backup of another store needs and this one lacks, or has only in a copy that is known
    /// to be damaged. `tell` is told the rows and bytes that are done. The caller shares
    /// [`crate::store::Lock::Objects`] of this store.
    ///
    /// # Errors
    /// If a chunk cannot be read there, or not be stored here. What was stored is no backup then, and
    /// need not travel again.
    pub async fn transfer(
        &self,
        source: Reader,
        manifest: &Manifest,
        seen: &mut Seen,
        tell: impl Fn(u64, u64) + Clone + Send + 'static,
    ) -> Result<Written, TransferError> {
        let writer = self.writer().await.map_err(AtTarget)?;
        let stop = CancellationToken::new();
        let _ended = stop.clone().drop_guard();
        let manifest = manifest.clone();
        let transfer = Transfer { source, writer, stop };
        let told = tell.clone();
        let carried = threads::spawn(move || transfer.carry(&manifest, &told)).await;
        let writer = carried.expect("carrying does not panic")?;
        let written = writer.finish().await.map_err(AtTarget)?;
        let left = seen.unread.intersection(&written.relied).copied();
        let packs: HashSet<_> = written.packs.iter().copied().chain(left).collect();
        self.check_arrived(packs, tell).await.map_err(AtTarget)?;
        self.index_read_back(&written.relied, seen).await.map_err(AtTarget)?;
        Ok(written)
    }

    /// Reads back every chunk of packs that were just written. One that is not right is set aside, so that
    /// it is sent again.
    async fn check_arrived(
        &self,
        packs: HashSet<PackId>,
        tell: impl Fn(u64, u64) + Send + 'static,
    ) -> Result<(), StoreError> {
        if packs.is_empty() {
            return Ok(());
        }
        let reader = self.reader().await?;
        let found = self.blocking(move || wrong_copies(&reader, &packs, tell)).await?;
        if found.is_empty() {
            return Ok(());
        }
        tracing::warn!("{} chunks in {} are not what was sent", found.len(), self.place());
        let before: Damaged = deletion_marks::load(self.objects(), layout::DAMAGED).await?;
        let mut after = before.clone();
        for wrong in &found {
            after.judge(wrong.pack, wrong.chunk, false);
        }
        deletion_marks::save(self.objects(), layout::DAMAGED, &before, &after).await?;
        found.into_iter().try_for_each(|wrong| Err(wrong.why))
    }

    /// Writes an index object over packs that were left without one and have been read back now.
    async fn index_read_back(
        &self,
        relied: &BTreeSet<PackId>,
        seen: &mut Seen,
    ) -> Result<(), StoreError> {
        let read: BTreeSet<_> = seen.unread.intersection(relied).copied().collect();
        if read.is_empty() {
            return Ok(());
        }
        let index = self.index().await?;
        let mut packs: BTreeMap<_, _> =
            index.whole_packs().map(|(pack, _)| (pack.pack, pack)).collect();
        packs.retain(|pack, _| read.contains(pack));
        let packs: Vec<_> = packs.into_values().collect();
        if !packs.is_empty() {
            let (id, bytes) = index_file::encode(&packs);
            self.objects().put(&layout::index(&id), bytes.into()).await?;
        }
        seen.unread.retain(|pack| !read.contains(pack));
        Ok(())
    }
}

/// A copy of a chunk that is not right.
struct WrongCopy {
    pack: PackId,
    chunk: ChunkId,
    why: StoreError,
}

/// The chunks in these packs that are not right.
fn wrong_copies(
    reader: &Reader,
    packs: &HashSet<PackId>,
    tell: impl Fn(u64, u64),
) -> Result<Vec<WrongCopy>, StoreError> {
    let index = reader.index();
    let mut arrived: Vec<_> =
        index.chunks().filter(|(_, spot)| packs.contains(&index.pack(spot).id)).collect();
    arrived.sort_by_key(|(_, spot)| (spot.pack, spot.offset));
    let mut wrong = Vec::new();
    for (id, spot) in arrived {
        tell(0, spot.raw_len.into());
        match reader.check_copy(&index, id, &spot) {
            Err(why) if why.is_about_a_chunk() => {
                wrong.push(WrongCopy { pack: index.pack(&spot).id, chunk: *id, why });
            }
            checked => checked?,
        }
    }
    Ok(wrong)
}

/// A failure to read a chunk. A pack that is gone or cannot be read is no failure of the whole store.
fn of_source(source: &Reader, id: &ChunkId, error: StoreError) -> TransferError {
    let lost = error.is_not_found() || source.is_unreadable(&error);
    AtSource(if lost { StoreError::ChunkMissing(*id) } else { error })
}

/// Chunks under way.
struct Transfer {
    source: Reader,
    writer: Writer,
    /// Cancelled when nobody waits for the outcome any more.
    stop: CancellationToken,
}

impl Transfer {
    /// Carries all chunks of a backup. A node that is there says nothing of what is below it: whoever
    /// stored it may have been killed. So every node is walked.
    fn carry(
        mut self,
        manifest: &Manifest,
        tell: &impl Fn(u64, u64),
    ) -> Result<Writer, TransferError> {
        let manifests = std::slice::from_ref(manifest);
        for id in reach::profiles(manifests, &self.source.index()) {
            self.copy(&id, 0)?;
        }
        let mut seen = HashSet::new();
        for root in reach::roots(manifests) {
            let mut chunks = Vec::new();
            let walked = walk(&self.source, &root, &mut |id, kind| {
                let counts = match kind {
                    ChunkKind::Leaf { entry, group: 0 } => (entry.rows, entry.bytes),
                    _ => (0, 0),
                };
                chunks.push((*id, counts));
                seen.insert(*id)
            });
            walked.map_err(|error| of_source(&self.source, &root, error))?;
            for (id, (rows, bytes)) in chunks {
                self.copy(&id, 0)?;
                tell(rows, bytes);
            }
        }
        Ok(self.writer)
    }

    /// Carries a chunk and the bases behind it, unless they are there.
    fn copy(&mut self, id: &ChunkId, above: u8) -> Result<(), TransferError> {
        if self.stop.is_cancelled() {
            return Err(AtTarget(StoreError::WriterClosed));
        }
        if self.writer.knows(id) {
            return Ok(());
        }
        let index = self.source.index();
        if let Some(spot) = index.get(id) {
            if let Some(base) = spot.base.filter(|_| above < MAX_DEPTH) {
                match self.copy(&base, above + 1) {
                    // There may be another copy of the chunk, which needs no base.
                    Err(AtSource(error)) if error.is_about_a_chunk() => {}
                    copied => copied?,
                }
            }
            match self.source.checked_frame(&index, id, &spot) {
                Ok((entry, frame)) => {
                    if self.writer.put_frame(&entry, &frame).map_err(AtTarget)? {
                        return Ok(());
                    }
                }
                // There may be another copy of the chunk.
                Err(error) => match of_source(&self.source, id, error) {
                    AtSource(error) if error.is_about_a_chunk() => {}
                    error => return Err(error),
                },
            }
        }
        let bytes = self.source.chunk(id);
        let bytes = bytes.map_err(|error| of_source(&self.source, id, error))?;
        self.writer.put_with_base(*id, &bytes, None).map_err(AtTarget)
    }
}
