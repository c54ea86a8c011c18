//! Is everything there and right? Finds damage, says whom it hurts, and sets it aside, so that the
//! next backup that has the same chunk writes it again.

mod findings;
mod leaves;
mod packs;
mod small;
mod trees;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::Bytes;

use super::frame::Fault;
use super::index::Spot;
use super::load::Listing;
use super::marks::{self, Damaged};
use super::read::frame_at;
use super::{Reader, Store, StoreError, layout};
use crate::model::{BackupId, ChunkId, Dataset, Manifest, PackId};
use crate::threads::locked;
use findings::Findings;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The pack that it is in, if it is in one.
    pub pack: Option<PackId>,
    /// The chunk that cannot be read or is wrong, if it is one.
    pub chunk: Option<ChunkId>,
    /// What is wrong.
    pub what: String,
    /// The datasets of backups that are not whole because of it.
    pub hurts: BTreeSet<(BackupId, Dataset)>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.chunk, self.pack) {
            (Some(chunk), Some(pack)) => write!(f, "chunk {chunk} in pack {pack}: {}", self.what),
            (Some(chunk), None) => write!(f, "chunk {chunk}: {}", self.what),
            (None, Some(pack)) => write!(f, "pack {pack}: {}", self.what),
            (None, None) => f.write_str(&self.what),
        }
    }
}

/// Each holds a pack in memory.
const THREADS: usize = 2;

/// Does this with each piece, on two threads; no further ones after an error.
fn in_parallel<T: Send>(
    pieces: Vec<T>,
    work: impl Fn(T) -> Result<(), StoreError> + Sync,
) -> Result<(), StoreError> {
    let queue = Mutex::new(pieces.into_iter());
    let next = || locked(&queue).next();
    let all = || std::iter::from_fn(next).try_for_each(&work);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(all)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("checking does not panic"))
    })
}

/// The chunk of a frame, from a stretch of its pack that begins at `start`.
fn decode(
    reader: &Reader,
    (bytes, start): (&Bytes, u64),
    id: &ChunkId,
    spot: &Spot,
) -> Result<Vec<u8>, Fault> {
    let at = usize::try_from(u64::from(spot.offset) - start).unwrap_or(usize::MAX);
    let frame = frame_at(bytes.get(at..).unwrap_or_default(), id, spot)?;
    let base = frame.base.and_then(|base| reader.read(&base, 1).ok());
    frame.decode(base.as_deref())
}

/// How far a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Stored bytes that were read.
    pub bytes: u64,
    /// Stored bytes that are to be read.
    pub of: u64,
}

/// Adds up what several threads have read, and tells.
struct Meter<F> {
    tell: F,
    bytes: AtomicU64,
    of: AtomicU64,
}

impl<F: Fn(Progress)> Meter<F> {
    fn new(tell: F) -> Self {
        Self { tell, bytes: AtomicU64::new(0), of: AtomicU64::new(0) }
    }

    fn expect(&self, bytes: u64) {
        self.of.fetch_add(bytes, Ordering::Relaxed);
        self.add(0);
    }

    fn add(&self, bytes: u64) {
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.tell)(Progress { bytes, of: self.of.load(Ordering::Relaxed) });
    }
}

impl Store {
    /// Reads everything that these backups need, each chunk once, and checks it: hashes, the rows
    /// and bytes of leaves, the sums of nodes and manifests. Damaged copies are set aside.
    ///
    /// # Errors
    /// If the object store fails in another way than by lacking or garbling an object.
    pub async fn check_trees(
        &self,
        manifests: &[Manifest],
        progress: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Result<Vec<Damage>, StoreError> {
        self.check(manifests, false, progress).await
    }

    /// As [`Self::check_trees`] for all backups given, after reading every pack to its last byte:
    /// its name, its footer, every frame, needed or not. What was set aside and is right now, or
    /// gone, is taken back.
    ///
    /// # Errors
    /// As [`Self::check_trees`].
    pub async fn check_all(
        &self,
        manifests: &[Manifest],
        progress: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Result<Vec<Damage>, StoreError> {
        self.check(manifests, true, progress).await
    }

    async fn check(
        &self,
        manifests: &[Manifest],
        packs_too: bool,
        progress: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Result<Vec<Damage>, StoreError> {
        let meter = Arc::new(Meter::new(progress));
        let tolerant = self.objects().folder.is_some();
        let mut findings = Findings::new(self.reader().await?, tolerant);
        if packs_too {
            let meter = meter.clone();
            let read = move || packs::check(&mut findings, &*meter).map(|()| findings);
            findings = self.blocking(read).await?;
            // From here on the index has all copies that are right, and no others.
            self.set_aside(&findings, true).await?;
            findings.reader = self.reader().await?;
        }
        let manifests = manifests.to_vec();
        let read = move || {
            trees::find_nodes(&mut findings, &manifests)?;
            leaves::check(&mut findings, &*meter)?;
            trees::judge(&mut findings, &manifests)?;
            Ok(findings)
        };
        let findings = self.blocking(read).await?;
        self.set_aside(&findings, packs_too).await?;
        Ok(findings.into_damage())
    }

    async fn set_aside(&self, findings: &Findings, all: bool) -> Result<(), StoreError> {
        let now = Listing::read(self.objects()).await?;
        let before = now.damaged;
        let mut after = if all { Damaged::default() } else { before.clone() };
        for (pack, chunk) in findings.set_aside() {
            after.packs.entry(pack).or_default().insert(chunk);
        }
        after.packs.retain(|pack, _| now.packs.contains_key(pack));
        let noted = marks::save(self.objects(), layout::DAMAGED, &before, &after).await;
        // A full disk, or one that is only read, must not hide what was found.
        if let Err(error) = noted {
            tracing::warn!(%error, "damage could not be set aside");
        }
        Ok(())
    }
}
