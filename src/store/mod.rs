//! Chunks in packs in an object store, and the manifests that make backups of them.
//!
//! Knows trees only as chunks that refer to chunks; never sees a row. Writing goes packs → index →
//! manifest, each durable before the next begins, and deleting goes the other way; so whatever
//! crashes when, every manifest that can be read has all its chunks. `store-format.md` gives every
//! byte.

mod backend;
mod backups;
mod check;
mod chunks;
mod error;
mod format;
mod gc;
mod identity;
mod index;
mod layout;
mod location;
mod lock;
mod open;
mod parameters;
pub mod parse;
mod scratch;
mod stats;
mod verify;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use backend::abilities::{Abilities, Condition};
pub(crate) use backend::files::{Modes, is_ours, make_folders};
pub use backend::s3::{Addressing, Fault, S3Options, connect as connect_to_s3};
pub use backups::seen::Seen;
pub use check::{Checked, Finding};
pub use chunks::confirm::Written;
pub use chunks::read::Reader;
pub use chunks::transfer::{Seen as SeenChunks, TransferError};
pub use chunks::write::Writer;
pub use error::StoreError;
pub use gc::sweep::Swept;
pub use index::location::{ChunkLocation, PackInfo};
pub use index::lookup::Index;
pub use location::{Location, Relation};
pub use lock::{Held, Holder, Lock, LockKind, Lost, Mode, released};
pub use stats::Totals;
pub use verify::{Damage, Progress};

use crate::model::{BackupId, ChunkId, Ids, Parameters, Profile};
use crate::threads::locked;
use backend::objects::Objects;
use index::load::{Known, Listing, Trust};

/// Time for which a write to a bucket shows that it can be written.
const TRIAL_EVERY: Duration = Duration::from_mins(10);

/// An open store. Cloning is cheap, and clones share what is cached.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    objects: Objects,
    locks: LockKind,
    /// Name of the place in messages.
    place: String,
    /// The place, if it is one that others may name as well.
    location: Option<Location>,
    parameters: Parameters,
    known: Mutex<Option<Known>>,
    /// Held while a small object is read, changed and written.
    states: tokio::sync::Mutex<()>,
    /// The profiles that were read.
    profiles: Mutex<HashMap<ChunkId, Arc<Profile>>>,
    /// The order of these backups, where no record of it was found.
    rebuilt: Mutex<Option<(BTreeSet<BackupId>, Ids)>>,
    /// The record of ids that was last read of a bucket, and its version.
    ids: Mutex<Option<(String, Ids)>>,
    runtime: tokio::runtime::Handle,
    /// The folder of a store that is thrown away.
    _scratch: Option<scratch::Scratch>,
}

impl Store {
    /// Returns the parameters that the store was made with.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.0.parameters
    }

    /// Returns its place, without secrets.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.0.place
    }

    /// The place itself; none of a store that is thrown away or wrapped.
    #[must_use]
    pub fn location(&self) -> Option<&Location> {
        self.0.location.as_ref()
    }

    /// The folder that it is, if it is one.
    #[must_use]
    pub fn folder(&self) -> Option<&std::path::Path> {
        self.0.objects.folder.as_deref()
    }

    /// Makes sure that the store can be written. In a bucket, where each request costs something, what was
    /// written lately counts; else a small object is written, and stays.
    ///
    /// # Errors
    /// If it cannot.
    pub async fn try_writing(&self) -> Result<(), StoreError> {
        let path = object_store::path::Path::from(layout::TRIAL);
        if self.objects().folder.is_none() && self.objects().wrote_within(TRIAL_EVERY) {
            return Ok(());
        }
        if !self.is_there().await? {
            return Err(StoreError::NoStore(self.place().to_owned()));
        }
        self.objects().put(&path, "may be removed\n".into()).await?;
        if self.objects().folder.is_some() { self.objects().remove(&path).await } else { Ok(()) }
    }

    /// Returns whether the store is still there: a folder may have gone with its volume.
    ///
    /// # Errors
    /// If that cannot be told.
    pub async fn is_there(&self) -> Result<bool, StoreError> {
        for name in [layout::STORE, layout::IDS] {
            if self.objects().find(&object_store::path::Path::from(name)).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns whether a request that was sent may take effect long afterwards, when its sender has lost its
    /// lock: what goes over a network may be held up on its way.
    fn has_late_requests(&self) -> bool {
        matches!(self.0.locks, LockKind::Lease(_))
    }

    fn objects(&self) -> &Objects {
        &self.0.objects
    }

    /// Returns the default time for which a sweep keeps an unreached pack: not at all where
    /// the operating system keeps the locks, an hour where leases do.
    #[must_use]
    pub fn default_grace(&self) -> Duration {
        match self.0.locks {
            LockKind::Folder => Duration::ZERO,
            LockKind::Lease(_) => Duration::from_hours(1),
        }
    }

    /// Takes a lock, waiting at most `patience` for others to finish. `what` tells people what it
    /// is held for.
    ///
    /// # Errors
    /// [`StoreError::Busy`] with who holds it; [`StoreError::NoStore`] if the store's folder is gone, or empty.
    pub async fn lock(
        &self,
        lock: Lock,
        mode: Mode,
        what: &str,
        patience: Duration,
    ) -> Result<Held, StoreError> {
        // An empty folder where a volume was mounted would take a backup that nobody finds again.
        if self.objects().folder.is_some() && !self.is_there().await? {
            return Err(StoreError::NoStore(self.place().to_owned()));
        }
        lock::hold(self.objects(), &self.0.locks, lock, mode, what, patience).await
    }

    /// Returns the index as of now. Costs a listing, and more only if something has changed.
    ///
    /// # Errors
    /// [`StoreError::PacksMissing`] if there are backups but no packs.
    pub async fn index(&self) -> Result<Arc<Index>, StoreError> {
        Ok(self.known(Trust::Indexes).await?.index)
    }

    /// As [`Self::index`], but no index object is believed: each pack is asked itself what it holds.
    /// For whoever is to rely on chunks without reading them.
    ///
    /// # Errors
    /// As [`Self::index`].
    pub async fn proven_index(&self) -> Result<Arc<Index>, StoreError> {
        Ok(self.known(Trust::Packs).await?.index)
    }

    /// The index and the listing that it was made from.
    async fn known(&self, trust: Trust) -> Result<Known, StoreError> {
        let listing = Listing::read(self.objects()).await?;
        let before = locked(&self.0.known).clone();
        if let Some(before) = &before
            && *before.listing == listing
            && (trust == Trust::Indexes || before.index.is_proven())
        {
            return Ok(before.clone());
        }
        if listing.packs.is_empty() {
            // An empty store and one whose packs are lost must never be mistaken for each other.
            let backups = self.backups().await?.len();
            if backups > 0 {
                return Err(StoreError::PacksMissing(backups));
            }
        }
        let index = listing.index(self.objects(), before.as_ref(), trust).await?;
        let known = Known { listing: Arc::new(listing), index: Arc::new(index) };
        *locked(&self.0.known) = Some(known.clone());
        Ok(known)
    }
}
