//! What happens to a store must be found, named, survived where it can be, and healed.

use std::fs;
use std::path::{Path, PathBuf};

use ipam_rewind::model::Manifest;
use ipam_rewind::store::{Damage, Store, StoreError};

use super::samples::{back_up, files, id, in_folder, read, rows};

fn packs(folder: &Path) -> Vec<PathBuf> {
    files(folder, "packs")
}

fn length(path: &Path) -> usize {
    fs::read(path).expect("readable").len()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("readable");
    bytes[at] ^= 4;
    fs::write(path, bytes).expect("written");
}

async fn manifests(store: &Store) -> Vec<Manifest> {
    let mut all = Vec::new();
    for id in store.backups().await.expect("listed") {
        all.push(store.manifest(&id).await.expect("whole"));
    }
    all
}

pub async fn check_all(store: &Store) -> Vec<Damage> {
    store.check_all(&manifests(store).await, |_| ()).await.expect("checked")
}

pub async fn check_trees(store: &Store) -> Vec<Damage> {
    store.check_trees(&manifests(store).await, |_| ()).await.expect("checked")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_store_has_no_damage_and_progress_reaches_its_end() {
    let folder = crate::support::folder();
    let store = in_folder(folder.path()).await;
    back_up(&store, &id(1), &rows(3000, "rows")).await.expect("made");
    back_up(&store, &id(2), &[]).await.expect("made");
    let last = std::sync::Arc::new(std::sync::Mutex::new(None));
    let told = last.clone();
    let progress = move |progress| *told.lock().expect("no panic") = Some(progress);
    let damage = store.check_all(&manifests(&store).await, progress).await.expect("checked");
    assert_eq!(damage, []);
    let last = last.lock().expect("no panic").expect("told");
    assert!(last.bytes == last.of && last.of > 100_000, "{last:?}");
    assert_eq!(check_trees(&store).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_anywhere_in_a_pack_is_found_and_named() {
    let folder = crate::support::folder();
    let store = in_folder(folder.path()).await;
    back_up(&store, &id(1), &rows(200, "rows")).await.expect("made");
    let [pack] = &packs(folder.path())[..] else { panic!("one pack") };
    let size = length(pack);
    let name = pack.file_stem().expect("a name").to_str().expect("text").to_owned();
    // The start, frames (every 97th byte, so headers too), the footer's table, checksum and end.
    let places = [0].into_iter().chain((8..size).step_by(97)).chain(size - 44..size);
    for at in places {
        flip(pack, at);
        let store = in_folder(folder.path()).await;
        let damage = check_all(&store).await;
        let named = |damage: &Damage| damage.pack.is_some_and(|pack| pack.to_string() == name);
        assert!(damage.iter().any(named), "byte {at} of {size}: {damage:?}");
        flip(pack, at);
        assert_eq!(check_all(&in_folder(folder.path()).await).await, [], "byte {at} put right");
        assert!(!folder.path().join("damaged.json").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_names_the_backups_and_datasets_that_it_affects_and_the_next_backup_heals_it() {
    let folder = crate::support::folder();
    let store = in_folder(folder.path()).await;
    back_up(&store, &id(1), &rows(2000, "rows")).await.expect("made");
    back_up(&store, &id(2), &rows(2000, "rows")).await.expect("made");
    back_up(&store, &id(3), &rows(2000, "other rows")).await.expect("made");
    let first = manifests(&store).await[0].parts[0].root;
    let spot = store.index().await.expect("the index").get(&first).expect("there");
    let pack = store.index().await.expect("the index").pack(&spot).id.to_string();
    let path = packs(folder.path()).into_iter().find(|path| path.to_string_lossy().contains(&pack));
    let path = path.expect("there");
    flip(&path, 100);

    for damage in [check_trees(&store).await, check_trees(&store).await] {
        let [damage] = &damage[..] else { panic!("one: {damage:?}") };
        let affects: Vec<_> = damage.affects.iter().cloned().collect();
        assert_eq!(affects, [(id(1), "vrfs".into()), (id(2), "vrfs".into())]);
        assert!(damage.chunk.is_some());
    }
    assert!(read(&store, &id(1)).await.is_err());
    assert!(read(&store, &id(3)).await.is_ok());

    let healed = back_up(&store, &id(4), &rows(2000, "rows")).await.expect("made");
    assert_eq!(healed.new_chunks, 1);
    assert_eq!(check_trees(&store).await, []);
    assert!(read(&store, &id(1)).await.expect("whole again") == rows(2000, "rows"));
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_of_a_pack_that_is_set_aside_are_written_again_in_another() {
    let folder = crate::support::folder();
    let store = in_folder(folder.path()).await;
    back_up(&store, &id(1), &rows(1, "rows")).await.expect("made");
    let [pack] = &packs(folder.path())[..] else { panic!("one pack") };
    let size = length(pack);
    // Every frame at once.
    for at in (60..size - 639).step_by(20) {
        flip(pack, at);
    }
    let damage = check_trees(&store).await;
    assert!(!damage.is_empty());
    back_up(&store, &id(2), &rows(1, "rows")).await.expect("made");
    assert_eq!(check_trees(&store).await, []);
    assert!(read(&store, &id(1)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_cut_short_gives_what_is_left_and_a_missing_one_is_told() {
    let folder = crate::support::folder();
    let store = in_folder(folder.path()).await;
    back_up(&store, &id(1), &rows(2000, "rows")).await.expect("made");
    back_up(&store, &id(2), &rows(2000, "other rows")).await.expect("made");
    let all = packs(folder.path());
    let bytes = fs::read(&all[0]).expect("readable");
    fs::write(&all[0], &bytes[..bytes.len() / 2]).expect("written");
    let store = in_folder(folder.path()).await;
    let half = check_trees(&store).await.len();
    fs::remove_file(&all[0]).expect("removed");
    let damage = check_trees(&in_folder(folder.path()).await).await;
    // Without a pack the root's node is gone, and with it the knowledge of what was below.
    assert!(half > 0 && damage.len() == 1, "{half}, then {damage:?}");
    assert_eq!(damage[0].affects.len(), 1);
    assert!(damage[0].to_string().contains("the file is lost"), "{damage:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn packs_under_each_others_names_are_found() {
    let folder = crate::support::folder();
    let store = in_folder(folder.path()).await;
    back_up(&store, &id(1), &rows(50, "rows")).await.expect("made");
    back_up(&store, &id(2), &rows(50, "other rows")).await.expect("made");
    let all = packs(folder.path());
    let bytes = [fs::read(&all[0]).expect("readable"), fs::read(&all[1]).expect("readable")];
    fs::write(&all[0], &bytes[1]).expect("written");
    fs::write(&all[1], &bytes[0]).expect("written");
    let store = in_folder(folder.path()).await;
    let damage = check_all(&store).await;
    let names = damage.iter().filter(|damage| damage.what.contains("another hash than its name"));
    assert_eq!(names.count(), 2, "{damage:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_or_damaged_index_is_made_anew_from_the_packs() {
    let folder = crate::support::folder();
    let store = in_folder(folder.path()).await;
    let all = rows(2000, "rows");
    back_up(&store, &id(1), &all).await.expect("made");
    let [index] = &files(folder.path(), "index")[..] else { panic!("one index object") };
    flip(index, 50);
    assert!(read(&in_folder(folder.path()).await, &id(1)).await.expect("read") == all);
    fs::remove_file(index).expect("removed");
    let store = in_folder(folder.path()).await;
    assert!(read(&store, &id(1)).await.expect("read") == all);
    assert_eq!(back_up(&store, &id(2), &all).await.expect("made").new_chunks, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_footer_does_not_cost_the_frames() {
    let folder = crate::support::folder();
    let all = rows(2000, "rows");
    back_up(&in_folder(folder.path()).await, &id(1), &all).await.expect("made");
    let [pack] = &packs(folder.path())[..] else { panic!("one pack") };
    flip(pack, length(pack) - 20);
    fs::remove_file(&files(folder.path(), "index")[0]).expect("removed");
    let store = in_folder(folder.path()).await;
    assert!(read(&store, &id(1)).await.expect("read") == all);
    assert_eq!(check_trees(&store).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_packs_are_never_taken_for_an_empty_store() {
    let folder = crate::support::folder();
    back_up(&in_folder(folder.path()).await, &id(1), &rows(9, "rows")).await.expect("made");
    fs::remove_dir_all(folder.path().join("packs")).expect("removed");
    let store = in_folder(folder.path()).await;
    let index = store.index().await;
    assert!(matches!(index, Err(StoreError::PacksMissing(1))), "{index:?}");
    assert!(matches!(store.writer().await, Err(StoreError::PacksMissing(1))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_counts_other_rows_than_its_tree_is_found() {
    let folder = crate::support::folder();
    let store = in_folder(folder.path()).await;
    back_up(&store, &id(1), &rows(9, "rows")).await.expect("made");
    let mut all = manifests(&store).await;
    all[0].parts[0].rows += 1;
    let damage = store.check_trees(&all, |_| ()).await.expect("checked");
    assert!(damage.len() == 1 && damage[0].affects.len() == 1, "{damage:?}");
}
