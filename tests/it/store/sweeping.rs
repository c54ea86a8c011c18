//! A sweep removes what nothing needs, and nothing else, whatever happens while it runs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use ipam_rewind::store::{Lock, Mode, Store, StoreError, Swept};

use super::samples::{
    PATIENCE, back_up, files, id, in_folder, in_memory, manifest, read, rows, write,
};

pub const NOW: Duration = Duration::ZERO;

pub async fn sweep_after(store: &Store, grace: Duration) -> Result<Swept, StoreError> {
    let held = store.lock(Lock::Objects, Mode::Exclusive, "sweep", PATIENCE).await?;
    let swept = store.sweep(&held, grace).await;
    held.release().await;
    swept
}

pub async fn sweep(store: &Store) -> Swept {
    sweep_after(store, NOW).await.expect("swept")
}

pub async fn is_whole(store: &Store) {
    for id in store.backups().await.expect("listed") {
        let manifest = store.manifest(&id).await.expect("whole");
        assert_eq!(store.check_trees(&[manifest], |_| ()).await.expect("checked"), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_no_backup_needs_goes() {
    let store = in_memory().await;
    back_up(&store, &id(1), &rows(3000, "one")).await.expect("made");
    back_up(&store, &id(2), &rows(3000, "two")).await.expect("made");
    let before = store.totals().await.expect("counted");
    assert_eq!(sweep(&store).await.packs_removed, 0);
    assert_eq!(store.totals().await.expect("counted"), before);
    store.unlink(&id(1)).await.expect("unlinked");
    let swept = sweep(&store).await;
    assert_eq!((swept.packs_removed, swept.problems.len()), (1, 0));
    let after = store.totals().await.expect("counted");
    assert_eq!(after.stored_bytes + swept.bytes_freed, before.stored_bytes);
    assert!(read(&store, &id(2)).await.expect("read") == rows(3000, "two"));
    store.unlink(&id(2)).await.expect("unlinked");
    sweep(&store).await;
    assert_eq!(store.totals().await.expect("counted"), ipam_rewind::store::Totals::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_that_is_mostly_waste_is_rewritten_and_one_that_is_not_stays() {
    let store = in_memory().await;
    let mut all = rows(3000, "one");
    back_up(&store, &id(1), &all).await.expect("made");
    let shared: Vec<_> = all.split_off(2200);
    let second = [rows(2200, "two"), shared].concat();
    back_up(&store, &id(2), &second).await.expect("made");
    store.unlink(&id(1)).await.expect("unlinked");
    let before = store.totals().await.expect("counted").stored_bytes;
    let swept = sweep(&store).await;
    assert_eq!((swept.packs_rewritten, swept.packs_removed), (1, 1), "{swept:?}");
    let after = store.totals().await.expect("counted").stored_bytes;
    assert_eq!(before - after, swept.bytes_freed);
    assert!(read(&store, &id(2)).await.expect("read") == second);
    is_whole(&store).await;
    assert_eq!(sweep(&store).await, Swept::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_of_which_all_is_needed_stays_however_small_it_is() {
    let store = in_memory().await;
    for (n, count) in [(1, 0), (2, 1), (3, 30), (4, 1000)] {
        back_up(&store, &id(n), &rows(count, "rows")).await.expect("made");
        assert_eq!(sweep(&store).await, Swept::default(), "{count} rows");
        is_whole(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_grace_a_pack_is_marked_first_and_a_backup_that_comes_does_not_rely_on_it() {
    let store = in_memory().await;
    back_up(&store, &id(1), &rows(500, "one")).await.expect("made");
    back_up(&store, &id(2), &rows(500, "two")).await.expect("made");
    // It decided what to rely on before the sweep.
    let (part, early) = write(&store, &rows(500, "one")).await.expect("written");
    store.unlink(&id(1)).await.expect("unlinked");
    let hour = Duration::from_hours(1);
    let swept = sweep_after(&store, hour).await.expect("swept");
    assert!(swept.packs_removed == 0 && swept.bytes_pending > 0, "{swept:?}");
    let confirmed = store.confirm(&early).await;
    assert!(matches!(confirmed, Err(StoreError::SweptMeanwhile(_))), "{confirmed:?}");
    drop(part);
    // Making it again writes the chunks again, into another pack. The one that was marked goes.
    let again = back_up(&store, &id(3), &rows(500, "one")).await.expect("made");
    assert!(again.new_chunks > 0);
    let swept = sweep_after(&store, Duration::ZERO).await.expect("swept");
    assert_eq!(swept.packs_removed, 1, "{swept:?}");
    is_whole(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marked_pack_goes_once_its_time_is_over() {
    let store = in_memory().await;
    back_up(&store, &id(1), &rows(500, "one")).await.expect("made");
    back_up(&store, &id(2), &rows(500, "two")).await.expect("made");
    store.unlink(&id(1)).await.expect("unlinked");
    let short = Duration::from_millis(300);
    assert_eq!(sweep_after(&store, short).await.expect("swept").packs_removed, 0);
    tokio::time::sleep(short).await;
    let swept = sweep_after(&store, short).await.expect("swept");
    assert_eq!((swept.packs_removed, swept.bytes_pending), (1, 0));
    is_whole(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_beside_a_writer_is_busy() {
    let folder = crate::support::folder();
    let (one, two) = (in_folder(folder.path()).await, in_folder(folder.path()).await);
    let _writing = one.lock(Lock::Objects, Mode::Shared, "backup", NOW).await.expect("free");
    let sweeping = two.lock(Lock::Objects, Mode::Exclusive, "sweep", NOW).await;
    assert!(matches!(sweeping, Err(StoreError::Busy { .. })), "{sweeping:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_writers_on_one_folder_may_write_the_same_chunks() {
    let folder = crate::support::folder();
    let (one, two) = (in_folder(folder.path()).await, in_folder(folder.path()).await);
    let (id1, id2, rows) = (id(1), id(2), rows(2000, "rows"));
    let made = tokio::join!(back_up(&one, &id1, &rows), back_up(&two, &id2, &rows));
    made.0.expect("made");
    made.1.expect("made");
    for store in [&one, &two] {
        assert!(read(store, &id(1)).await.expect("read") == rows);
        assert!(read(store, &id(2)).await.expect("read") == rows);
    }
    sweep(&one).await;
    is_whole(&two).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_manifest_or_node_stops_a_sweep_before_it_removes_anything() {
    let folder = crate::support::folder();
    let store = in_folder(folder.path()).await;
    back_up(&store, &id(1), &rows(500, "one")).await.expect("made");
    write(&store, &rows(500, "waste")).await.expect("written");
    let path = folder.path().join(id(1).as_str()).join("manifest.json");
    let whole = fs::read(&path).expect("readable");
    fs::write(&path, b"{}").expect("written");
    let swept = sweep_after(&store, NOW).await;
    assert!(matches!(swept, Err(StoreError::ManifestDamaged { .. })), "{swept:?}");
    assert_eq!(files(folder.path(), "packs").len(), 2);

    fs::write(&path, whole).expect("written");
    let manifest = store.manifest(&id(1)).await.expect("whole");
    let index = store.index().await.expect("the index");
    let spot = index.get(&manifest.parts[0].root).expect("there");
    let pack = index.pack(&spot).id.to_string();
    let path = files(folder.path(), "packs")
        .into_iter()
        .find(|path| path.ends_with(format!("{pack}.pack")));
    let path = path.expect("there");
    let mut bytes = fs::read(&path).expect("readable");
    bytes[spot.offset as usize + 60] ^= 1;
    fs::write(&path, bytes).expect("written");
    assert!(sweep_after(&in_folder(folder.path()).await, NOW).await.is_err());
    assert_eq!(files(folder.path(), "packs").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_killed_processes_left_is_tidied() {
    let folder = crate::support::folder();
    let store = in_folder(folder.path()).await;
    back_up(&store, &id(1), &rows(100, "one")).await.expect("made");
    let [pack] = &files(folder.path(), "packs")[..] else { panic!("one pack") };
    let left = format!("{}#1", pack.display());
    fs::write(&left, b"half a pack").expect("written");
    let orphan = folder.path().join(id(5).as_str()).join("state.json");
    fs::create_dir(orphan.parent().expect("a folder")).expect("made");
    fs::write(&orphan, b"{\"pinned\": true}").expect("written");
    let stranger = folder.path().join(id(6).as_str()).join("backup_info.json");
    fs::create_dir(stranger.parent().expect("a folder")).expect("made");
    fs::write(&stranger, b"{}").expect("written");
    assert_eq!(store.backups().await.expect("listed"), [id(1)]);
    // A backup that was killed, before another came to its id within the same second; and a state that
    // somebody may be saving now.
    let beside = |name: &str| folder.path().join(id(1).as_str()).join(name);
    fs::write(beside("manifest.json#1"), b"").expect("written");
    fs::write(beside("state.json#1"), b"").expect("written");
    let swept = sweep(&store).await;
    assert!(swept.orphans_removed >= 4, "{swept:?}");
    assert!(!beside("manifest.json#1").exists() && beside("state.json#1").exists());
    assert!(!Path::new(&left).exists() && !folder.path().join(id(5).as_str()).exists());
    assert!(stranger.exists(), "what is not ours stays");
    is_whole(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exclusive_size_is_what_only_one_backup_needs() {
    let store = in_memory().await;
    let all = rows(3000, "one");
    back_up(&store, &id(1), &all).await.expect("made");
    back_up(&store, &id(2), &[rows(1500, "two"), all[1500..].to_vec()].concat())
        .await
        .expect("made");
    back_up(&store, &id(3), &rows(700, "three")).await.expect("made");
    let mut manifests = Vec::new();
    for id in store.backups().await.expect("listed") {
        manifests.push(store.manifest(&id).await.expect("whole"));
    }
    let sizes = store.exclusive_sizes(&manifests).await.expect("counted");
    let (part, _) = write(&store, &all).await.expect("all there");
    assert_eq!(manifest(&id(1), part).parts[0].root, manifests[0].parts[0].root);
    for one in &manifests {
        let others: Vec<_> =
            manifests.iter().filter(|m| m.backup_id != one.backup_id).cloned().collect();
        let all = store.reachable(&manifests).await.expect("walked");
        let others = store.reachable(&others).await.expect("walked");
        let index = store.index().await.expect("the index");
        let only = all.difference(&others).map(|id| index.get(id).expect("there").frame_len());
        assert_eq!(sizes[&one.backup_id], only.sum::<u64>(), "{}", one.backup_id);
    }
    // A second backup of the same rows leaves none that only one needs.
    back_up(&store, &id(4), &rows(700, "three")).await.expect("made");
    manifests.push(store.manifest(&id(4)).await.expect("whole"));
    let sizes = store.exclusive_sizes(&manifests).await.expect("counted");
    assert_eq!((sizes[&id(3)], sizes[&id(4)]), (0, 0));
}
