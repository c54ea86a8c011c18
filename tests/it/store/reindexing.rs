//! The index of a store that changes while it is open.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use ipam_rewind::store::{LockKind, Store};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::time::timeout;

use super::faults::Faulty;
use super::samples::{back_up, id, rows};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_a_pack_is_not_read_again() {
    let objects = Arc::new(InMemory::new());
    let faulty = Faulty::over(objects.clone());
    let store = Store::over(faulty.clone(), None, LockKind::LEASE).await.expect("a store");
    back_up(&store, &id(1), &rows(2000, "first")).await.expect("made");
    let before = store.index().await.expect("the index");

    let indexes = objects.list(Some(&Path::from("index"))).try_collect::<Vec<_>>().await;
    for object in indexes.expect("listed") {
        objects.delete(&object.location).await.expect("there");
    }
    let held = faulty.hold_up_reading().await;
    let after = timeout(Duration::from_mins(1), store.index()).await.expect("no pack is read");
    assert_eq!(after.expect("the index").frames().count(), before.frames().count());
    let other = Store::over(faulty.clone(), None, LockKind::LEASE).await.expect("a store");
    let blocked = timeout(Duration::from_secs(1), other.index()).await;
    blocked.expect_err("one that knows nothing reads the packs");
    drop(held);
    let read = other.index().await.expect("the index");
    assert_eq!(read.frames().count(), before.frames().count());
}
