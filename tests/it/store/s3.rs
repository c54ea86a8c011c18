//! The same over S3: a real server, `rclone serve s3`, on a port of its own.

use std::sync::Arc;
use std::time::Duration;

use ipam_rewind::store::{Lock, LockKind, Mode, Store, StoreError};
use object_store::ObjectStore;
use object_store::prefix::PrefixStore;

use super::conformance::suite;
use super::samples::{PATIENCE, back_up, id, read, rows};
use crate::support::s3::{KINDS, S3Server};

async fn store(server: &S3Server, prefix: &str) -> Store {
    let objects: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(server.bucket(), prefix));
    Store::over(objects, None, LockKind::LEASE).await.expect("a store")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_s3_conforms() {
    for kind in KINDS {
        let server = S3Server::start_as(kind).await;
        suite(&store(&server, "some/prefix").await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_machines_share_a_store_in_s3() {
    let server = S3Server::start().await;
    let (one, two) = (store(&server, "shared").await, store(&server, "shared").await);
    assert_eq!(one.parameters(), two.parameters());
    back_up(&one, &id(1), &rows(1500, "one")).await.expect("made");
    back_up(&two, &id(2), &rows(1500, "two")).await.expect("made");
    let writing = one.lock(Lock::Objects, Mode::Shared, "backup", PATIENCE).await.expect("free");
    let busy = two.lock(Lock::Objects, Mode::Exclusive, "sweep", Duration::ZERO).await;
    assert!(matches!(busy, Err(StoreError::Busy { .. })), "{busy:?}");
    writing.release().await;

    two.unlink(&id(1)).await.expect("unlinked");
    let held = two.lock(Lock::Objects, Mode::Exclusive, "sweep", PATIENCE).await.expect("free");
    let marked = two.sweep(&held, two.default_grace()).await.expect("swept");
    assert!(marked.packs_removed == 0 && marked.bytes_pending > 0, "{marked:?}");
    let swept = two.sweep(&held, Duration::ZERO).await.expect("swept");
    assert_eq!((swept.packs_removed, swept.problems.len()), (1, 0), "{swept:?}");
    held.release().await;
    assert!(read(&one, &id(2)).await.expect("read") == rows(1500, "two"));
    let manifest = one.manifest(&id(2)).await.expect("whole");
    assert_eq!(one.check_all(&[manifest], |_| ()).await.expect("checked"), []);
}
