//! The object store below, with errors that say what was being done.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, UpdateVersion};

use crate::store::StoreError;
use crate::store::backend::files;

/// The objects of one store.
#[derive(Debug, Clone)]
pub struct Objects {
    inner: Arc<dyn ObjectStore>,
    /// The folder, if that is what the store is.
    pub folder: Option<PathBuf>,
    /// Whether a removal waits until the folder's entry is gone from the disk, too.
    durable: bool,
}

/// What lies below a folder, as far as it can be seen.
#[derive(Debug, Default)]
pub struct Found {
    pub objects: Vec<ObjectMeta>,
    /// Why some of it cannot be seen.
    pub unreadable: Vec<String>,
}

fn failed(doing: String) -> impl FnOnce(object_store::Error) -> StoreError {
    move |source| StoreError::Object { doing, source }
}

impl Objects {
    pub fn new(inner: Arc<dyn ObjectStore>, folder: Option<PathBuf>) -> Self {
        Self { inner, folder, durable: true }
    }

    /// As [`Self::new`], for objects that need not outlast a loss of power.
    pub fn fleeting(inner: Arc<dyn ObjectStore>, folder: PathBuf) -> Self {
        Self { inner, folder: Some(folder), durable: false }
    }

    /// Whether an error is about one file of a folder that cannot be read: then it is treated like a
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
        match self.put_if_none(path, bytes.clone()).await {
            Err(error) if error.is_not_implemented() => self.put(path, bytes).await,
            put => put,
        }
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
        let mode = PutMode::Update(version);
        match self.inner.put_opts(path, bytes.clone().into(), mode.into()).await {
            Err(
                object_store::Error::NotImplemented { .. }
                | object_store::Error::NotSupported { .. },
            ) => self.put(path, bytes).await,
            put => put.map(drop).map_err(failed(format!("writing {path}"))),
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
        match self.inner.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(failed(format!("removing {path}"))(source)),
        }
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
