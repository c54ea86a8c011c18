//! Killed after any step, out of space, suspended: what is left is whole, and can be tidied.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use ipam_rewind::store::{Lock, LockKind, Mode, Store, StoreError};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use super::faults::Faulty;
use super::samples::{PATIENCE, back_up, id, read, rows, write};
use super::sweeping::{NOW, is_whole, sweep, sweep_after};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_does_not_prevent_deleting() {
    let folder = crate::support::folder();
    let disk = LocalFileSystem::new_with_prefix(folder.path()).expect("a folder");
    let disk = Faulty::over(Arc::new(disk));
    let store = over(disk.clone(), folder.path()).await;
    back_up(&store, &id(1), &rows(2000, "one")).await.expect("made");
    back_up(&store, &id(2), &[rows(1500, "two"), rows(2000, "one").split_off(1500)].concat())
        .await
        .expect("made");
    back_up(&store, &id(3), &rows(2000, "three")).await.expect("made");
    disk.leave_space(0);
    let full = back_up(&store, &id(4), &rows(2000, "four")).await;
    assert!(full.is_err());
    store.unlink(&id(1)).await.expect("unlinked");
    store.unlink(&id(3)).await.expect("unlinked");
    let swept = sweep(&store).await;
    // The third goes; the first would have to be rewritten, which there is no room for.
    assert_eq!((swept.packs_removed, swept.packs_rewritten), (1, 0), "{swept:?}");
    assert!(swept.problems.iter().any(|problem| problem.contains("No space left")), "{swept:?}");
    is_whole(&store).await;
    disk.leave_space(i64::MAX);
    assert_eq!(sweep(&store).await.packs_rewritten, 1);
    is_whole(&store).await;
}

async fn over(disk: Arc<dyn ObjectStore>, folder: &Path) -> Store {
    Store::over(disk, Some(folder), LockKind::Folder).await.expect("a store")
}

/// Two backups that share a little, the first unlinked; a pack is dead, another mostly so.
async fn scene(store: &Store) -> Vec<Vec<u8>> {
    let kept = [rows(1500, "two"), rows(2000, "one").split_off(1500)].concat();
    back_up(store, &id(1), &rows(2000, "one")).await.expect("made");
    back_up(store, &id(2), &kept).await.expect("made");
    back_up(store, &id(3), &rows(900, "three")).await.expect("made");
    store.unlink(&id(1)).await.expect("unlinked");
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_killed_after_any_step_leaves_every_backup_whole() {
    for steps in 0.. {
        let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let disk = Faulty::over(memory.clone());
        let folder = crate::support::folder();
        let store = over(disk.clone(), folder.path()).await;
        let kept = scene(&store).await;
        store.unlink(&id(3)).await.expect("unlinked");
        disk.leave_changes(steps);
        let swept = sweep_after(&store, NOW).await;
        disk.leave_changes(i64::MAX);
        let store = over(memory, folder.path()).await;
        assert!(read(&store, &id(2)).await.expect("read") == kept, "killed after {steps}");
        is_whole(&store).await;
        let rest = sweep(&store).await;
        assert_eq!(rest.problems, Vec::<String>::new());
        assert!(read(&store, &id(2)).await.expect("read") == kept, "swept after {steps}");
        if swept.is_ok_and(|swept| swept.problems.is_empty()) {
            assert!(steps >= 4, "a sweep of only {steps} steps");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_killed_after_any_step_leaves_the_store_whole_and_waste_that_a_sweep_removes() {
    for steps in 0.. {
        let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let disk = Faulty::over(memory.clone());
        let folder = crate::support::folder();
        let store = over(disk.clone(), folder.path()).await;
        let kept = scene(&store).await;
        sweep(&store).await;
        let before = store.totals().await.expect("counted");
        disk.leave_changes(steps);
        let made = back_up(&store, &id(9), &rows(700, "nine")).await;
        disk.leave_changes(i64::MAX);
        let store = over(memory, folder.path()).await;
        is_whole(&store).await;
        assert!(read(&store, &id(2)).await.expect("read") == kept, "killed after {steps}");
        if made.is_ok() {
            assert!(steps >= 3, "a backup of only {steps} steps");
            return;
        }
        sweep(&store).await;
        assert_eq!(store.totals().await.expect("counted"), before, "killed after {steps}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweeper_that_was_suspended_removes_nothing_after_its_lease_ran_out() {
    let memory = Arc::new(InMemory::new());
    let short = LockKind::Lease(Duration::from_millis(50));
    let store = Store::over(memory.clone(), None, short).await.expect("a store");
    back_up(&store, &id(1), &rows(500, "one")).await.expect("made");
    write(&store, &rows(500, "waste")).await.expect("written");
    let held = store.lock(Lock::Objects, Mode::Exclusive, "sweep", PATIENCE).await.expect("free");
    // As another machine does that finds the lease run out.
    let mut leases = memory.list(Some(&"locks/objects".into()));
    while let Some(lease) = leases.next().await {
        memory.delete(&lease.expect("listed").location).await.expect("removed");
    }
    let swept = store.sweep(&held, NOW).await;
    assert!(matches!(swept, Err(StoreError::LeaseLost(_))), "{swept:?}");
    assert_eq!(store.totals().await.expect("counted").packs, 2);
}
