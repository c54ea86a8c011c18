//! An object store that fails on purpose.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

/// Passes everything on to another store until its luck runs out.
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn ObjectStore>,
    /// Bytes that still fit on the disk.
    space: AtomicI64,
    /// Changes (writes and removals) that are still let through.
    changes: AtomicI64,
    /// Who reads a pack asks for this first.
    gate: Arc<RwLock<()>>,
    /// As the gate, for the next reading of a pack alone.
    next: Arc<RwLock<()>>,
    /// Whether that is still to come.
    holds_next: AtomicBool,
}

impl Faulty {
    pub fn over(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        let (space, changes) = (AtomicI64::new(i64::MAX), AtomicI64::new(i64::MAX));
        Arc::new(Self {
            inner,
            space,
            changes,
            gate: Arc::default(),
            next: Arc::default(),
            holds_next: AtomicBool::new(false),
        })
    }

    /// From now on only so many bytes can be written.
    pub fn leave_space(&self, bytes: i64) {
        self.space.store(bytes, Ordering::SeqCst);
    }

    /// From now on only so many changes succeed: as if the process were killed then.
    pub fn leave_changes(&self, count: i64) {
        self.changes.store(count, Ordering::SeqCst);
    }

    /// While this is held, packs are as if their reading took for ever.
    pub async fn hold_up_reading(&self) -> OwnedRwLockWriteGuard<()> {
        self.gate.clone().write_owned().await
    }

    /// The next reading of a pack takes as long as this is held; others do not.
    pub async fn hold_up_next_reading(&self) -> OwnedRwLockWriteGuard<()> {
        let held = self.next.clone().write_owned().await;
        self.holds_next.store(true, Ordering::SeqCst);
        held
    }

    /// Whether that reading has begun.
    pub fn holds_a_reading(&self) -> bool {
        !self.holds_next.load(Ordering::SeqCst)
    }

    fn change(&self) -> Result<()> {
        if self.changes.fetch_sub(1, Ordering::SeqCst) > 0 { Ok(()) } else { Err(failed("killed")) }
    }
}

fn failed(why: &'static str) -> object_store::Error {
    object_store::Error::Generic { store: "faulty", source: why.into() }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, to: &Path, bytes: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.change()?;
        let length = i64::try_from(bytes.content_length()).expect("small");
        if self.space.fetch_sub(length, Ordering::SeqCst) < length {
            return Err(failed("No space left on device"));
        }
        self.inner.put_opts(to, bytes, opts).await
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(to, opts).await
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        let is_pack = from.prefix_matches(&Path::from("packs"));
        if is_pack {
            drop(self.gate.read().await);
        }
        if is_pack && self.holds_next.swap(false, Ordering::SeqCst) {
            drop(self.next.read().await);
        }
        self.inner.get_opts(from, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match self.change() {
            Ok(()) => self.inner.delete_stream(paths),
            Err(error) => Box::pin(futures::stream::once(async { Err(error) })),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
