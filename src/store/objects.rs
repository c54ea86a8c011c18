//! The object store below, with errors that say what was being done.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode};

use super::StoreError;

/// The objects of one store.
#[derive(Debug, Clone)]
pub struct Objects {
    inner: Arc<dyn ObjectStore>,
    /// The folder, if that is what the store is.
    pub folder: Option<PathBuf>,
}

fn failed(doing: String) -> impl FnOnce(object_store::Error) -> StoreError {
    move |source| StoreError::Object { doing, source }
}

impl Objects {
    pub fn new(inner: Arc<dyn ObjectStore>, folder: Option<PathBuf>) -> Self {
        Self { inner, folder }
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
        let put = self.inner.put_opts(path, bytes.into(), PutMode::Create.into()).await;
        put.map(drop).map_err(failed(format!("creating {path}")))
    }

    /// Removes an object; one that is gone already is fine.
    pub async fn remove(&self, path: &Path) -> Result<(), StoreError> {
        match self.inner.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(failed(format!("removing {path}"))(source)),
        }
    }

    /// All objects below a folder.
    pub async fn list(&self, folder: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        let listing = self.inner.list(Some(&Path::from(folder))).try_collect().await;
        listing.map_err(failed(format!("listing {folder}")))
    }

    /// The names of the folders at the top.
    pub async fn folders(&self) -> Result<Vec<String>, StoreError> {
        let listing = self.inner.list_with_delimiter(None).await;
        let listing = listing.map_err(failed("listing the store".into()))?;
        let name = |path: &Path| path.filename().map(str::to_owned);
        Ok(listing.common_prefixes.iter().filter_map(name).collect())
    }
}
