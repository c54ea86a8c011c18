//! Is everything there and right? Finds damage, says whom it affects, and sets it aside, so that the
//! next backup that has the same chunk writes it again, and the next sweep what else is needed.

mod causes;
mod findings;
mod indexes;
mod leaves;
mod packs;
mod small;
mod trees;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::Bytes;

pub use self::causes::Damage;
use crate::model::{ChunkId, Manifest};
use crate::store::chunks::read::frame_at;
use crate::store::format::frame::Fault;
use crate::store::index::deletion_marks;
use crate::store::index::deletion_marks::Damaged;
use crate::store::index::load::{Listing, Trust};
use crate::store::index::location::ChunkLocation;
use crate::store::verify::findings::Findings;
use crate::store::{Reader, Store, StoreError, layout};
use crate::threads::locked;

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

/// What a frame gives.
enum Decoded {
    /// The chunk, and it is right.
    Raw(Vec<u8>),
    /// Nothing can be told, since its base cannot be read.
    Unknown(StoreError),
}

impl Decoded {
    fn raw(self) -> Option<Vec<u8>> {
        match self {
            Self::Raw(raw) => Some(raw),
            Self::Unknown(_) => None,
        }
    }
}

/// The chunk of a frame, from a stretch of its pack that begins at `start`.
fn decode(
    reader: &Reader,
    (bytes, start): (&Bytes, u64),
    id: &ChunkId,
    spot: &ChunkLocation,
) -> Result<Decoded, Fault> {
    let at = usize::try_from(u64::from(spot.offset) - start).unwrap_or(usize::MAX);
    let frame = frame_at(bytes.get(at..).unwrap_or_default(), id, spot)?;
    let base = match frame.base.map(|base| reader.read(&base, 1)) {
        Some(Err(error)) => return Ok(Decoded::Unknown(error)),
        Some(Ok(base)) => Some(base),
        None => None,
    };
    frame.decode(base.as_deref()).map(Decoded::Raw)
}

/// Progress of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Stored bytes that were read.
    pub bytes: u64,
    /// Stored bytes that are to be read.
    pub of: u64,
}

/// Adds up what several threads have read, and tells.
struct ProgressCounter<F> {
    tell: F,
    bytes: AtomicU64,
    of: AtomicU64,
}

impl<F: Fn(Progress)> ProgressCounter<F> {
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
    /// Reads everything that these backups need, each chunk once, and checks it: hashes, the rows,
    /// columns and bytes of leaves, the sums of nodes and manifests. Damaged copies are set aside, and
    /// those set aside earlier that are right now are taken back.
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
    /// its name, its footer, every frame, needed or not; and every index object.
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
        everything: bool,
        progress: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Result<Vec<Damage>, StoreError> {
        let progress = Arc::new(ProgressCounter::new(progress));
        let tolerant = self.objects().folder.is_some();
        let known = self.known(if everything { Trust::Packs } else { Trust::Indexes }).await?;
        let reader = Reader::new(self, known.index.clone(), None);
        let mut findings = Findings::new(reader, tolerant);
        if everything {
            indexes::check(&mut findings, self.objects(), &known.listing).await?;
        }
        let manifests = manifests.to_vec();
        let read = move || {
            if everything {
                packs::check(&mut findings, &*progress)?;
            }
            trees::find_nodes(&mut findings, &manifests)?;
            leaves::check(&mut findings, &*progress)?;
            trees::judge(&mut findings, &manifests)?;
            Ok(findings)
        };
        let mut findings = self.blocking(read).await?;
        if findings.lacks_chunks() {
            if !everything {
                indexes::check(&mut findings, self.objects(), &known.listing).await?;
                findings.indexes.clear();
            }
            findings.name_lost();
        }
        let listed = self.set_aside(&mut findings, everything).await?;
        // What a sweep has removed while this ran is no damage.
        findings.packs.retain(|pack, _| listed.packs.contains_key(pack));
        Ok(findings.into_damage())
    }

    async fn set_aside(
        &self,
        findings: &mut Findings,
        everything: bool,
    ) -> Result<Listing, StoreError> {
        let now = Listing::read(self.objects()).await?;
        let mut after = if everything {
            Damaged::default()
        } else {
            self.still_damaged(findings, &now.damaged).await?
        };
        for (pack, chunks) in findings.set_aside() {
            after.packs.entry(pack).or_default().extend(chunks);
        }
        after.packs.retain(|pack, _| now.packs.contains_key(pack));
        let noted =
            deletion_marks::save(self.objects(), layout::DAMAGED, &now.damaged, &after).await;
        // A full disk, or one that is only read, must not hide what was found.
        if let Err(error) = noted {
            tracing::warn!(%error, "could not record damaged copies");
        }
        Ok(now)
    }

    /// What was set aside earlier and is not right by now.
    async fn still_damaged(
        &self,
        findings: &Findings,
        before: &Damaged,
    ) -> Result<Damaged, StoreError> {
        let (reader, mut after) = (findings.reader.clone(), before.clone());
        let read = move || {
            let index = reader.index();
            let aside: Vec<_> = index.set_aside().map(|(id, spot)| (*id, spot)).collect();
            for (id, spot) in aside {
                if reader.check_copy(&index, &id, &spot).is_ok() {
                    after.judge(index.pack(&spot).id, id, true);
                }
            }
            Ok(after)
        };
        self.blocking(read).await
    }
}
