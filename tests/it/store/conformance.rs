//! What a store does, the same over memory, a folder and S3.

use ipam_rewind::model::{ChunkId, Hash, State};
use ipam_rewind::store::{Location, Lock, Mode, Store, StoreError};

use super::samples::{
    PATIENCE, back_up, chunk, id, in_folder, in_memory, manifest, read, rows, write,
};

pub async fn suite(store: &Store) {
    a_backup_is_read_as_it_was_written(store).await;
    an_id_is_given_once(store).await;
    a_state_may_change(store).await;
    several_threads_write_each_chunk_once(store).await;
    a_chunk_is_stored_against_its_base(store).await;
    a_lock_bars_others_and_names_its_holder(store).await;
    what_was_unlinked_is_gone(store).await;
}

async fn a_backup_is_read_as_it_was_written(store: &Store) {
    assert_eq!(store.backups().await.expect("listed"), []);
    let mut all = rows(5000, "first");
    let first = back_up(store, &id(1), &all).await.expect("made");
    all[2500] = b"key-00002500\tchanged\t2025-01-01 00:00:00".to_vec();
    let second = back_up(store, &id(2), &all).await.expect("made");
    assert_eq!(store.backups().await.expect("listed"), [id(1), id(2)]);
    assert!(first.new_chunks > 50, "{first:?}");
    // One group of one leaf, and the nodes above it.
    assert!(second.new_chunks <= 4 && !second.relied.is_empty(), "{second:?}");
    assert!(read(store, &id(1)).await.expect("read") == rows(5000, "first"));
    assert!(read(store, &id(2)).await.expect("read") == all);
    let again = write(store, &all).await.expect("written").1;
    assert_eq!((again.new_chunks, again.packs), (0, vec![]));
}

async fn an_id_is_given_once(store: &Store) {
    let before = store.manifest(&id(1)).await.expect("there");
    let mut other = before.clone();
    other.description = "another".into();
    let taken = store.publish(&other, &State::default()).await;
    assert!(matches!(taken, Err(StoreError::IdTaken(_))), "{taken:?}");
    // The very same is there: as when the answer to a request was lost, and it was sent again.
    store.publish(&before, &State::default()).await.expect("published");
    assert_eq!(store.manifest(&id(1)).await.expect("there"), before);
    let missing = store.manifest(&id(99)).await;
    assert!(matches!(missing, Err(StoreError::NoSuchBackup(_))), "{missing:?}");
}

async fn a_state_may_change(store: &Store) {
    assert_eq!(store.state(&id(1)).await.expect("the default"), State::default());
    for pinned in [true, false] {
        let state = State { pinned, ..State::default() };
        store.change_state(&id(1), |now| *now = state.clone()).await.expect("saved");
        assert_eq!(store.state(&id(1)).await.expect("there"), state);
    }
}

async fn several_threads_write_each_chunk_once(store: &Store) {
    let writer = store.writer().await.expect("a writer");
    let write = |mut writer: ipam_rewind::store::Writer| {
        tokio::task::spawn_blocking(move || {
            for n in 0..300_u32 {
                let bytes = format!("a chunk that all threads have, number {n}").into_bytes();
                writer.put_with_base(ChunkId::of(&bytes), &bytes, None).expect("written");
            }
        })
    };
    let threads = [(); 4].map(|()| write(writer.clone()));
    for thread in threads {
        thread.await.expect("no panic");
    }
    let written = writer.finish().await.expect("durable");
    assert_eq!((written.new_chunks, written.packs.len()), (300, 1));
}

async fn a_chunk_is_stored_against_its_base(store: &Store) {
    let base: Vec<u8> = (0..900_u32).flat_map(|n| Hash::of(&n.to_le_bytes()).0).collect();
    let mut versions = vec![base];
    for n in 0..12 {
        let mut next = versions[n].clone();
        next[n * 100] ^= 1;
        versions.push(next);
    }
    for pair in [&versions[..1], &versions[..7], &versions[..]] {
        let (mut writer, pair) = (store.writer().await.expect("a writer"), pair.to_vec());
        let put = tokio::task::spawn_blocking(move || {
            let mut base: Option<Vec<u8>> = None;
            for version in pair {
                let with = base.as_ref().map(|base| (ChunkId::of(base), &base[..]));
                writer.put_with_base(ChunkId::of(&version), &version, with).expect("written");
                base = Some(version);
            }
            writer
        });
        let written = put.await.expect("no panic").finish().await.expect("durable");
        assert!(written.new_chunks > 0);
    }
    let index = store.index().await.expect("the index");
    let depth = |version: &Vec<u8>| index.get(&ChunkId::of(version)).expect("there").depth;
    // The ninth would have too many behind it, and begins a new chain.
    let depths: Vec<_> = versions.iter().map(depth).collect();
    assert_eq!(depths, [0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3]);
    for version in versions {
        assert!(chunk(store, ChunkId::of(&version)).await.expect("read") == version);
    }
}

async fn a_lock_bars_others_and_names_its_holder(store: &Store) {
    let now = std::time::Duration::ZERO;
    let backup = store.lock(Lock::Objects, Mode::Shared, "a backup", now).await.expect("free");
    let busy = store.lock(Lock::Objects, Mode::Exclusive, "a sweep", now).await;
    match busy {
        Err(StoreError::Busy { holder: Some(holder), .. }) => assert_eq!(holder.what, "a backup"),
        other => panic!("not busy: {other:?}"),
    }
    let other = store.lock(Lock::Maintenance, Mode::Exclusive, "a restore", now).await;
    other.expect("another lock is free").release().await;
    backup.release().await;
    let free = store.lock(Lock::Objects, Mode::Exclusive, "a sweep", PATIENCE).await;
    free.expect("free again").release().await;
}

async fn what_was_unlinked_is_gone(store: &Store) {
    store.unlink(&id(1)).await.expect("unlinked");
    assert_eq!(store.backups().await.expect("listed"), [id(2)]);
    let again = store.unlink(&id(1)).await;
    assert!(matches!(again, Err(StoreError::NoSuchBackup(_))), "{again:?}");
    assert_eq!(store.state(&id(1)).await.expect("the default"), State::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_memory_conforms() {
    suite(&in_memory().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_a_folder_conforms() {
    let folder = crate::support::folder();
    suite(&in_folder(folder.path()).await).await;
    assert!(!folder.path().join(id(1).as_str()).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scratch_store_conforms_and_leaves_nothing() {
    let parent = crate::support::folder();
    let store = Store::scratch(parent.path()).await.expect("a store");
    suite(&store).await;
    drop(store);
    assert_eq!(std::fs::read_dir(parent.path()).expect("readable").count(), 0);
}

#[tokio::test]
async fn only_a_store_is_opened() {
    let folder = crate::support::folder();
    let location = Location::Folder(folder.path().to_owned());
    let opened = Store::open(&location).await;
    assert!(matches!(opened, Err(StoreError::NoStore(_))), "{opened:?}");
    let made = Store::open_or_create(&location).await.expect("made");
    let opened = Store::open(&location).await.expect("a store");
    assert_eq!(opened.parameters(), made.parameters());
}

#[tokio::test(flavor = "multi_thread")]
async fn packs_without_parameters_and_backups_are_not_made_a_new_store() {
    let folder = crate::support::folder();
    let store = in_folder(folder.path()).await;
    back_up(&store, &id(1), &rows(10, "rows")).await.expect("made");
    std::fs::remove_file(folder.path().join("store.json")).expect("removed");
    std::fs::remove_dir_all(folder.path().join(id(1).as_str())).expect("removed");
    let location = Location::Folder(folder.path().to_owned());
    for opened in [Store::open(&location).await, Store::open_or_create(&location).await] {
        assert!(matches!(opened, Err(StoreError::ParametersMissing(_))), "{opened:?}");
    }
    assert!(!folder.path().join("store.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scratch_store_holds_only_what_the_store_beneath_lacks() {
    let beneath = in_memory().await;
    let mut all = rows(3000, "rows");
    back_up(&beneath, &id(1), &all).await.expect("made");
    all[7] = b"key-00000007\tchanged\t2025-01-01 00:00:00".to_vec();
    let scratch = Store::scratch(&std::env::temp_dir()).await.expect("a store");
    let index = beneath.index().await.expect("the index");
    let mut writer = scratch.writer_beyond(&[index]).await.expect("a writer");
    let put = tokio::task::spawn_blocking(move || {
        let part = super::samples::write_tree(&mut writer, &all).expect("written");
        (part, writer)
    });
    let (part, writer) = put.await.expect("no panic");
    let written = writer.finish().await.expect("durable");
    assert!(written.new_chunks <= 4, "{written:?}");
    let reader =
        scratch.reader_over(beneath.reader().await.expect("a reader")).await.expect("a reader");
    let walked = tokio::task::spawn_blocking(move || {
        let mut chunks = 0;
        ipam_rewind::tree::walk(&reader, &part.root, &mut |_, _| {
            chunks += 1;
            true
        })?;
        Ok::<_, StoreError>(chunks)
    });
    assert!(walked.await.expect("no panic").expect("all there") > 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_says_if_it_was_changed_and_keeps_its_checksum_last() {
    let folder = crate::support::folder();
    let store = in_folder(folder.path()).await;
    let (part, _) = write(&store, &rows(10, "rows")).await.expect("written");
    store.publish(&manifest(&id(1), part), &State::default()).await.expect("published");
    let path = folder.path().join(id(1).as_str()).join("manifest.json");
    let text = std::fs::read_to_string(&path).expect("readable");
    let last = text.lines().rev().nth(1).expect("a line");
    assert!(last.trim_start().starts_with("\"checksum\": \""), "{last}");
    for (from, to) in [("\"rows\": 10", "\"rows\": 11"), ("checksum\": \"", "checksum\": \"0")] {
        std::fs::write(&path, text.replace(from, to)).expect("written");
        let read = store.manifest(&id(1)).await;
        assert!(matches!(read, Err(StoreError::ManifestDamaged { .. })), "{read:?}");
    }
    // A folder under another name is another backup's.
    let other = folder.path().join(id(2).as_str());
    std::fs::create_dir(&other).expect("made");
    std::fs::write(other.join("manifest.json"), text).expect("written");
    assert!(store.manifest(&id(2)).await.is_err());
}
