//! Chunks from one store into another: only those travel that the other lacks, as the frames that they
//! are. Each is checked against its id before it is sent, and again after it has arrived.

use std::collections::HashSet;

use tokio_util::sync::CancellationToken;

use crate::model::{ChunkId, Manifest};
use crate::store::chunks::confirm::Written;
use crate::store::format::frame::MAX_DEPTH;
use crate::store::gc::reach;
use crate::store::{Reader, Store, StoreError, Writer};
use crate::tree::{ChunkKind, ChunkSource, walk};

impl Store {
    /// Copies what a backup of another store needs and this one lacks. `tell` is told the rows and bytes
    /// that are done. The caller shares [`crate::store::Lock::Objects`] of both stores.
    ///
    /// # Errors
    /// If a chunk cannot be read there, or not be stored here. What was stored is no backup then, and
    /// need not travel again.
    pub async fn transfer(
        &self,
        source: Reader,
        manifest: &Manifest,
        tell: impl Fn(u64, u64) + Clone + Send + 'static,
    ) -> Result<Written, StoreError> {
        let writer = self.writer().await?;
        let stop = CancellationToken::new();
        let _ended = stop.clone().drop_guard();
        let manifest = manifest.clone();
        let transfer = Transfer { source, writer, stop };
        let told = tell.clone();
        let writer = self.blocking(move || transfer.carry(&manifest, &told)).await?;
        let written = writer.finish().await?;
        self.check_arrived(&written, tell).await?;
        Ok(written)
    }

    /// Reads back every chunk of packs that were just written.
    async fn check_arrived(
        &self,
        written: &Written,
        tell: impl Fn(u64, u64) + Send + 'static,
    ) -> Result<(), StoreError> {
        if written.packs.is_empty() {
            return Ok(());
        }
        let packs: HashSet<_> = written.packs.iter().copied().collect();
        let reader = self.reader().await?;
        self.blocking(move || {
            let index = reader.index();
            let mut arrived: Vec<_> =
                index.chunks().filter(|(_, spot)| packs.contains(&index.pack(spot).id)).collect();
            arrived.sort_by_key(|(_, spot)| (spot.pack, spot.offset));
            arrived.into_iter().try_for_each(|(id, spot)| {
                tell(0, spot.raw_len.into());
                reader.check_copy(&index, id, &spot)
            })
        })
        .await
    }
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
    ) -> Result<Writer, StoreError> {
        let manifests = std::slice::from_ref(manifest);
        for id in reach::profiles(manifests, &self.source.index()) {
            self.copy(&id, 0)?;
        }
        let mut seen = HashSet::new();
        for root in reach::roots(manifests) {
            let mut chunks = Vec::new();
            walk(&self.source, &root, &mut |id, kind| {
                let counts = match kind {
                    ChunkKind::Leaf { entry, group: 0 } => (entry.rows, entry.bytes),
                    _ => (0, 0),
                };
                chunks.push((*id, counts));
                seen.insert(*id)
            })?;
            for (id, (rows, bytes)) in chunks {
                self.copy(&id, 0)?;
                tell(rows, bytes);
            }
        }
        Ok(self.writer)
    }

    /// Carries a chunk and the bases behind it, unless they are there.
    fn copy(&mut self, id: &ChunkId, above: u8) -> Result<(), StoreError> {
        if self.stop.is_cancelled() {
            return Err(StoreError::WriterClosed);
        }
        if self.writer.knows(id) {
            return Ok(());
        }
        let index = self.source.index();
        if let Some(spot) = index.get(id) {
            if let Some(base) = spot.base.filter(|_| above < MAX_DEPTH) {
                match self.copy(&base, above + 1) {
                    // There may be another copy of the chunk, which needs no base.
                    Err(error) if error.is_about_a_chunk() => {}
                    copied => copied?,
                }
            }
            match self.source.checked_frame(&index, id, &spot) {
                Ok((entry, frame)) if self.writer.put_frame(&entry, &frame)? => return Ok(()),
                Ok(_) => {}
                Err(error) if error.is_about_a_chunk() || error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        let bytes = self.source.chunk(id)?;
        self.writer.put_with_base(*id, &bytes, None)
    }
}
