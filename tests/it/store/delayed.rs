//! Each change that an operation makes, held up in turn until another host has taken its lock and gone
//! on working: whatever arrives late, every backup that is listed is whole.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use ipam_rewind::store::{Lock, LockKind, Mode, Store, StoreError};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::watch;

use super::samples::{back_up, id, read, rows};

/// Lets a number of changes pass, then holds one up until it is told to go on.
#[derive(Debug)]
struct Delaying {
    inner: Arc<InMemory>,
    left: AtomicI64,
    arrived: watch::Sender<bool>,
    released: watch::Sender<bool>,
}

impl Delaying {
    fn over(inner: Arc<InMemory>) -> Arc<Self> {
        let (arrived, released) = (watch::Sender::new(false), watch::Sender::new(false));
        Arc::new(Self { inner, left: AtomicI64::new(i64::MAX), arrived, released })
    }

    async fn change(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 0 {
            self.arrived.send_replace(true);
            let mut released = self.released.subscribe();
            released.wait_for(|released| *released).await.expect("somebody releases it");
        }
    }
}

impl fmt::Display for Delaying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "delaying {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Delaying {
    async fn put_opts(&self, to: &Path, bytes: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.change().await;
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
        self.inner.get_opts(from, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (inner, left) = (self.inner.clone(), self.left.fetch_sub(1, Ordering::SeqCst));
        if left != 0 {
            return inner.delete_stream(paths);
        }
        self.arrived.send_replace(true);
        let mut released = self.released.subscribe();
        let later = async move {
            released.wait_for(|released| *released).await.expect("somebody releases it");
            inner.delete_stream(paths)
        };
        Box::pin(futures::stream::once(later).flatten())
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

const PATIENCE: Duration = Duration::from_mins(1);

async fn over(objects: Arc<dyn ObjectStore>, lease: Duration) -> Store {
    Store::over(objects, None, LockKind::Lease(lease)).await.expect("a store")
}

/// What the slow host does; its outcome does not matter, only what becomes of the store.
#[derive(Debug, Clone, Copy)]
enum Operation {
    Backup,
    Sweep,
    Deletion,
}

async fn sweep(store: &Store, grace: Duration) -> Result<(), StoreError> {
    let held = store.lock(Lock::Objects, Mode::Exclusive, "sweep", PATIENCE).await?;
    let swept = store.sweep(&held, grace).await;
    held.release().await;
    swept.map(drop)
}

impl Operation {
    async fn run(self, store: &Store) -> Result<(), StoreError> {
        match self {
            Self::Backup => back_up(store, &id(9), &partly_new()).await.map(drop),
            Self::Sweep => sweep(store, Duration::ZERO).await,
            Self::Deletion => {
                store.unlink(&id(4)).await?;
                sweep(store, Duration::ZERO).await
            }
        }
    }
}

/// Shares a little with the backup that is gone, so that its pack is mostly waste.
fn kept() -> Vec<Vec<u8>> {
    [rows(400, "two"), rows(500, "one").split_off(400)].concat()
}

/// As [`kept`], and rows that no pack has.
fn partly_new() -> Vec<Vec<u8>> {
    [rows(300, "nine"), kept().split_off(300)].concat()
}

/// A dead pack, one of which most is waste, two backups.
async fn scene(store: &Store) {
    back_up(store, &id(1), &rows(500, "one")).await.expect("made");
    back_up(store, &id(2), &kept()).await.expect("made");
    back_up(store, &id(3), &rows(300, "three")).await.expect("made");
    back_up(store, &id(4), &rows(200, "four")).await.expect("made");
    store.unlink(&id(1)).await.expect("unlinked");
    store.unlink(&id(3)).await.expect("unlinked");
}

async fn is_whole(store: &Store, when: &str) {
    let mut manifests = Vec::new();
    for id in store.backups().await.expect("listed") {
        manifests.push(store.manifest(&id).await.expect("whole"));
    }
    let damage = store.check_trees(&manifests, |_| ()).await.expect("checked");
    assert_eq!(damage, [], "{when}");
}

/// Holds up the change with this number; says whether the operation makes so many.
async fn hold_up(operation: Operation, number: i64) -> bool {
    let memory = Arc::new(InMemory::new());
    let other = over(memory.clone(), Duration::from_millis(20)).await;
    scene(&other).await;
    let delaying = Delaying::over(memory);
    let slow = over(delaying.clone(), Duration::from_hours(1)).await;
    delaying.left.store(number, Ordering::SeqCst);
    let running = tokio::spawn(async move { operation.run(&slow).await });
    let mut arrived = delaying.arrived.subscribe();
    let held_up = async { arrived.wait_for(|arrived| *arrived).await.is_ok() };
    let ended = async {
        while !running.is_finished() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        _ = held_up => {}
        () = ended => return false,
    }
    let when = format!("{operation:?}, change {number}");
    // The other host makes the same rows again, deletes, sweeps: with grace, as it does by default.
    let grace = match operation {
        Operation::Backup => other.default_grace(),
        Operation::Sweep | Operation::Deletion => Duration::ZERO,
    };
    sweep(&other, grace).await.expect("swept");
    back_up(&other, &id(11), &rows(500, "one")).await.expect("made");
    back_up(&other, &id(12), &kept()).await.expect("made");
    back_up(&other, &id(13), &rows(300, "three")).await.expect("made");
    is_whole(&other, &when).await;
    delaying.released.send_replace(true);
    let _ = running.await.expect("no panic");
    is_whole(&other, &format!("{when}, arrived")).await;
    sweep(&other, other.default_grace()).await.expect("swept");
    is_whole(&other, &format!("{when}, swept")).await;
    sweep(&other, Duration::ZERO).await.expect("swept");
    is_whole(&other, &format!("{when}, swept again")).await;
    for (n, expected) in [(2, kept()), (11, rows(500, "one")), (13, rows(300, "three"))] {
        assert!(read(&other, &id(n)).await.expect("read") == expected, "{when}, backup {n}");
    }
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn every_delayed_change_of_every_operation_leaves_backups_whole() {
    let mut cases = 0;
    for operation in [Operation::Backup, Operation::Sweep, Operation::Deletion] {
        let mut number = 0;
        while hold_up(operation, number).await {
            number += 1;
        }
        assert!(number >= 4, "{operation:?} makes only {number} changes");
        cases += number;
    }
    assert!(cases >= 25, "{cases} cases");
}
