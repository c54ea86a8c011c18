//! The object store below, with errors that say what was being done.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, UpdateVersion};

use crate::store::backend::abilities::Abilities;
use crate::store::backend::files;
use crate::store::{StoreError, layout};
use crate::threads::locked;

/// The objects of one store.
#[derive(Debug, Clone)]
pub struct Objects {
    inner: Arc<dyn ObjectStore>,
    /// The folder, if that is what the store is.
    pub folder: Option<PathBuf>,
    /// A removal waits until the folder's entry is gone from the disk, too.
    durable: bool,
    /// Abilities of the object store, shared by all clones.
    known: Arc<Mutex<Known>>,
}

/// Facts known of an object store; it does everything until something else is found.
#[derive(Debug)]
struct Known {
    /// Writes under a condition do what they are for.
    honours_conditions: bool,
    /// Objects can be removed.
    removes: bool,
    /// This process has tried a removal, and `removes` is the outcome of the latest.
    has_tried_removal: bool,
    /// Time of this process's last write, unless a later write failed.
    wrote: Option<Instant>,
}

impl Default for Known {
    fn default() -> Self {
        Self { honours_conditions: true, removes: true, has_tried_removal: false, wrote: None }
    }
}

/// Objects below a folder, as far as they can be seen.
#[derive(Debug, Default)]
pub struct Found {
    pub objects: Vec<ObjectMeta>,
    /// Why some of it cannot be seen.
    pub unreadable: Vec<String>,
}

fn failed(doing: String) -> impl FnOnce(object_store::Error) -> StoreError {
    StoreError::object(doing)
}

impl Objects {
    pub fn new(inner: Arc<dyn ObjectStore>, folder: Option<PathBuf>) -> Self {
        Self { inner, folder, durable: true, known: Arc::default() }
    }

    /// As [`Self::new`], for objects that need not outlast a loss of power.
    pub fn fleeting(inner: Arc<dyn ObjectStore>, folder: PathBuf) -> Self {
        Self { inner, folder: Some(folder), durable: false, known: Arc::default() }
    }

    /// Takes over what the object store was found to do, unless this process saw otherwise.
    pub fn learn(&self, abilities: &Abilities) {
        let mut known = locked(&self.known);
        known.honours_conditions &= abilities.honours_conditions();
        if !known.has_tried_removal {
            known.removes = abilities.remove;
        }
    }

    /// Returns whether writes under a condition do what they are for, as far as is known.
    pub fn honours_conditions(&self) -> bool {
        locked(&self.known).honours_conditions
    }

    /// Returns whether objects can be removed, as far as is known.
    pub fn may_remove(&self) -> bool {
        locked(&self.known).removes
    }

    /// Returns whether this process wrote within this time, and no later write failed.
    pub fn wrote_within(&self, time: Duration) -> bool {
        locked(&self.known).wrote.is_some_and(|wrote| wrote.elapsed() < time)
    }

    /// Returns whether objects can be removed; tries it now unless this process has before.
    ///
    /// # Errors
    /// If the object store fails.
    pub async fn can_remove(&self) -> Result<bool, StoreError> {
        if self.folder.is_some() || locked(&self.known).has_tried_removal {
            return Ok(self.may_remove());
        }
        let path = Path::from(layout::TRIAL);
        self.put(&path, "may be removed\n".into()).await?;
        match self.remove(&path).await {
            Err(error) if error.is_refused() => Ok(false),
            removed => removed.map(|()| true),
        }
    }

    /// Returns whether an error is about one file of a folder that cannot be read: then it is treated like a
    /// damaged one, and the others go on being used. Over a network every request may fail.
    pub fn is_unreadable(&self, error: &StoreError) -> bool {
        self.folder.is_some() && error.is_about_one_file()
    }

    pub async fn get(&self, path: &Path) -> Result<Bytes, StoreError> {
        let read = async { self.inner.get(path).await?.bytes().await };
        read.await.map_err(failed(format!("reading {path}")))
    }

    /// As [`Self::get`], but an object that is not there is `None`.
    pub async fn find(&self, path: &Path) -> Result<Option<Bytes>, StoreError> {
        match self.get(path).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// As [`Self::find`], with what tells this version of the object from others.
    pub async fn find_version(
        &self,
        path: &Path,
    ) -> Result<Option<(Bytes, UpdateVersion)>, StoreError> {
        let read = async {
            let found = self.inner.get(path).await?;
            let version = UpdateVersion {
                e_tag: found.meta.e_tag.clone(),
                version: found.meta.version.clone(),
            };
            Ok((found.bytes().await?, version))
        };
        match read.await {
            Ok(found) => Ok(Some(found)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(failed(format!("reading {path}"))(source)),
        }
    }

    /// A part of an object; less of it if the object is shorter.
    pub async fn range(
        &self,
        path: &Path,
        range: std::ops::Range<u64>,
    ) -> Result<Bytes, StoreError> {
        match self.inner.get_range(path, range.clone()).await {
            Ok(bytes) => Ok(bytes),
            // Some servers send a range but do not say so, or know none; then all is asked for.
            Err(object_store::Error::Generic { .. }) => {
                let whole = self.get(path).await?;
                let within = |at| usize::try_from(at).map_or(whole.len(), |at| at.min(whole.len()));
                Ok(whole.slice(within(range.start)..within(range.end)))
            }
            Err(error) => Err(failed(format!("reading {path}"))(error)),
        }
    }

    pub async fn meta(&self, path: &Path) -> Result<Option<ObjectMeta>, StoreError> {
        match self.inner.head(path).await {
            Ok(meta) => Ok(Some(meta)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(failed(format!("looking for {path}"))(source)),
        }
    }

    /// Writes an object whole or not at all, in place of one that is there.
    pub async fn put(&self, path: &Path, bytes: Bytes) -> Result<(), StoreError> {
        let put = self.inner.put(path, bytes.into()).await;
        locked(&self.known).wrote = put.is_ok().then(Instant::now);
        put.map(drop).map_err(failed(format!("writing {path}")))
    }

    /// Writes an object that must not be there yet.
    pub async fn create(&self, path: &Path, bytes: Bytes) -> Result<(), StoreError> {
        // Not every S3 server knows conditional writes; on those this look must do.
        if self.meta(path).await?.is_some() {
            let source = object_store::Error::AlreadyExists {
                path: path.to_string(),
                source: "it was found before writing".into(),
            };
            return Err(failed(format!("creating {path}"))(source));
        }
        if self.honours_conditions() {
            match self.put_if_none(path, bytes.clone()).await {
                Err(error) if error.is_not_implemented() => self.note_refused_condition(),
                put => return put,
            }
        }
        self.put(path, bytes).await
    }

    /// Writes an object if the object store finds none there: its answer alone counts.
    pub async fn put_if_none(&self, path: &Path, bytes: Bytes) -> Result<(), StoreError> {
        let put = self.inner.put_opts(path, bytes.into(), PutMode::Create.into()).await;
        put.map(drop).map_err(failed(format!("creating {path}")))
    }

    /// Replaces this version of an object, or creates it if there was none; fails if it has changed
    /// since. Where the server knows no conditional writes it is replaced whatever it is.
    pub async fn replace(
        &self,
        path: &Path,
        bytes: Bytes,
        version: Option<UpdateVersion>,
    ) -> Result<(), StoreError> {
        let Some(version) = version else { return self.create(path, bytes).await };
        if self.honours_conditions() {
            match self.put_if_match(path, bytes.clone(), version).await {
                Err(error) if error.is_not_implemented() => self.note_refused_condition(),
                put => return put,
            }
        }
        self.put(path, bytes).await
    }

    /// Replaces this version of an object if the object store finds it there: its answer alone counts.
    pub async fn put_if_match(
        &self,
        path: &Path,
        bytes: Bytes,
        version: UpdateVersion,
    ) -> Result<(), StoreError> {
        let mode = PutMode::Update(version);
        let put = self.inner.put_opts(path, bytes.into(), mode.into()).await;
        put.map(drop).map_err(failed(format!("writing {path}")))
    }

    fn note_refused_condition(&self) {
        locked(&self.known).honours_conditions = false;
    }

    /// Removes an object or, where the object store does not let it be removed, writes this in its place:
    /// something that says as little.
    pub async fn clear(&self, path: &Path, instead: Bytes) -> Result<(), StoreError> {
        match self.remove(path).await {
            Err(error) if error.is_refused() => self.put(path, instead).await,
            removed => removed,
        }
    }

    /// Removes an object; one that is gone already is fine. It does not come back after a loss of
    /// power.
    pub async fn remove(&self, path: &Path) -> Result<(), StoreError> {
        self.discard(path).await?;
        let parts: Vec<_> = path.parts().collect();
        let above: Path = parts.iter().take(parts.len().saturating_sub(1)).cloned().collect();
        self.settle([above.to_string()]).await
    }

    /// Removes an object that may come back after a loss of power: then it is waste.
    pub async fn discard(&self, path: &Path) -> Result<(), StoreError> {
        let removed = match self.inner.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(failed(format!("removing {path}"))(source)),
        };
        if self.folder.is_none() {
            match &removed {
                Ok(()) => self.note_removal(true),
                Err(error) if error.is_refused() => self.note_removal(false),
                Err(_) => {}
            }
        }
        removed
    }

    fn note_removal(&self, removes: bool) {
        let mut known = locked(&self.known);
        (known.removes, known.has_tried_removal) = (removes, true);
    }

    /// Waits until the entries of these folders are durable, those that are gone included. Elsewhere
    /// than in a folder every change is, once it is answered.
    pub async fn settle(
        &self,
        folders: impl IntoIterator<Item = String>,
    ) -> Result<(), StoreError> {
        let Some(root) = self.folder.as_ref().filter(|_| self.durable) else {
            return Ok(());
        };
        let folders: Vec<_> = folders.into_iter().map(|name| root.join(name)).collect();
        let sync = move || {
            for folder in folders {
                let syncing = || format!("making the folder {} durable", folder.display());
                files::sync_folder(&folder).map_err(StoreError::io(syncing()))?;
            }
            Ok(())
        };
        let synced = tokio::task::spawn_blocking(sync).await;
        synced.unwrap_or_else(|ended| std::panic::resume_unwind(ended.into_panic()))
    }

    /// All objects below a folder.
    pub async fn list(&self, folder: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        let listing = self.inner.list(Some(&Path::from(folder))).try_collect().await;
        listing.map_err(failed(format!("listing {folder}")))
    }

    /// All objects below a folder that can be seen: one unreadable folder in it does not hide the others.
    pub async fn list_readable(&self, folder: &str) -> Result<Found, StoreError> {
        let mut listing = self.inner.list(Some(&Path::from(folder)));
        let mut found = Found::default();
        while let Some(next) = listing.next().await {
            match next.map_err(failed(format!("listing {folder}"))) {
                Ok(meta) => found.objects.push(meta),
                Err(error) if self.is_unreadable(&error) => found.unreadable.push(error.chain()),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// The names of the folders at the top.
    pub async fn folders(&self) -> Result<Vec<String>, StoreError> {
        let listing = self.inner.list_with_delimiter(None).await;
        let listing = listing.map_err(failed("listing the store".into()))?;
        let name = |path: &Path| path.filename().map(str::to_owned);
        Ok(listing.common_prefixes.iter().filter_map(name).collect())
    }
}
