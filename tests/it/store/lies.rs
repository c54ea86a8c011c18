//! Index objects, tables of packs and notes that are well-formed and wrong: none of them may cost a row.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use ipam_rewind::model::{ChunkId, Hash};
use ipam_rewind::store::{Store, parse};

use super::damage::{check_all, check_trees};
use super::samples::{
    back_up, back_up_against, chunk, files, id, in_folder, in_memory, read, rows,
};
use super::sweeping::sweep;

const ENTRY: usize = 82;
/// Bytes of an index object before the entries of its first pack.
const HEAD: usize = 8 + 4 + 32 + 8 + 4;

/// Changes the entries in the one index object, and names it by its new hash.
fn lie(folder: &Path, change: impl Fn(usize, &mut [u8])) {
    let [index] = &files(folder, "index")[..] else { panic!("one index object") };
    let mut bytes = fs::read(index).expect("readable");
    let end = bytes.len() - 32;
    for (number, entry) in bytes[HEAD..end].chunks_mut(ENTRY).enumerate() {
        change(number, entry);
    }
    let checksum = Hash::of(&bytes[..end]);
    bytes[end..].copy_from_slice(&checksum.0);
    parse::index(&bytes).expect("well-formed");
    fs::remove_file(index).expect("removed");
    let name = format!("{}.idx", Hash::of(&bytes));
    fs::write(index.with_file_name(name), bytes).expect("written");
}

/// The ids of the chunks of a backup of these rows.
async fn chunks(rows: &[Vec<u8>]) -> Vec<ChunkId> {
    let store = in_memory().await;
    back_up(&store, &id(1), rows).await.expect("made");
    let index = store.index().await.expect("the index");
    index.chunks().map(|(id, _)| *id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn index_object_that_hides_chunks_costs_nothing() {
    let folder = crate::support::folder();
    let all = rows(2000, "one");
    back_up(&in_folder(folder.path()).await, &id(1), &all).await.expect("made");
    lie(folder.path(), |_, entry| entry[0] ^= 1);

    assert!(read(&in_folder(folder.path()).await, &id(1)).await.expect("read") == all);
    let store = in_folder(folder.path()).await;
    assert_eq!(check_trees(&store).await, []);
    let found = check_all(&in_folder(folder.path()).await).await;
    let [damage] = &found[..] else { panic!("one: {found:?}") };
    assert!(damage.affects.is_empty() && damage.what.starts_with("index/"), "{damage}");
    let again = back_up(&in_folder(folder.path()).await, &id(2), &all).await.expect("made");
    assert_eq!(again.new_chunks, 0, "the packs have them");
    assert_eq!(sweep(&in_folder(folder.path()).await).await.packs_removed, 0);
    let store = in_folder(folder.path()).await;
    assert_eq!(check_all(&store).await, []);
    assert!(read(&store, &id(1)).await.expect("read") == all);
}

#[tokio::test(flavor = "multi_thread")]
async fn index_object_that_claims_chunks_is_not_relied_on_by_a_backup() {
    let folder = crate::support::folder();
    let (one, two) = (rows(2000, "one"), rows(2000, "two"));
    back_up(&in_folder(folder.path()).await, &id(1), &one).await.expect("made");
    let others = chunks(&two).await;
    lie(folder.path(), |number, entry| {
        if let Some(other) = others.get(number) {
            entry[..32].copy_from_slice(&other.0);
        }
    });
    let store = in_folder(folder.path()).await;
    let made = back_up(&store, &id(2), &two).await.expect("made");
    assert!(made.new_chunks > 1 && made.relied.is_empty(), "{made:?}");
    let store = in_folder(folder.path()).await;
    assert!(read(&store, &id(2)).await.expect("read") == two);
    assert!(read(&store, &id(1)).await.expect("read") == one);
    sweep(&in_folder(folder.path()).await).await;
    assert_eq!(check_all(&in_folder(folder.path()).await).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn index_object_that_points_elsewhere_costs_nothing() {
    let wrong: [fn(&mut [u8]); 3] = [
        |entry| entry[32..40].copy_from_slice(&8_u64.to_le_bytes()),
        |entry| entry[40] ^= 1,
        |entry| entry[44] = entry[44].saturating_sub(1),
    ];
    for change in wrong {
        let folder = crate::support::folder();
        let all = rows(2000, "one");
        back_up(&in_folder(folder.path()).await, &id(1), &all).await.expect("made");
        lie(folder.path(), |_, entry| {
            if entry[48] == 1 {
                change(entry);
            }
        });
        assert!(read(&in_folder(folder.path()).await, &id(1)).await.expect("read") == all);
        assert_eq!(check_trees(&in_folder(folder.path()).await).await, []);
        let found = check_all(&in_folder(folder.path()).await).await;
        assert!(found.len() == 1 && found[0].affects.is_empty(), "{found:?}");
        sweep(&in_folder(folder.path()).await).await;
        assert_eq!(check_all(&in_folder(folder.path()).await).await, []);
    }
}

/// Three backups, each stored as its differences from the one before; their rows.
async fn chain() -> (tempfile::TempDir, Vec<Vec<Vec<u8>>>) {
    let folder = crate::support::folder();
    let store = in_folder(folder.path()).await;
    let (mut all, mut last, mut versions) = (rows(600, "one"), HashMap::new(), Vec::new());
    for n in 1..=3 {
        all[n as usize * 100] = format!("key-{:08}\tchanged\tone", n * 100).into_bytes();
        last = back_up_against(&store, &id(n), &all, last).await;
        versions.push(all.clone());
    }
    let index = store.index().await.expect("the index");
    assert_eq!(index.chunks().map(|(_, spot)| spot.depth).max(), Some(2));
    (folder, versions)
}

/// Has the tables name this base for these chunks, with checksums and names of the packs put right.
/// Says what the packs were called and held.
fn name_other_bases(
    folder: &Path,
    other: ChunkId,
    of: &HashSet<ChunkId>,
) -> Vec<(PathBuf, Vec<u8>)> {
    let mut before = Vec::new();
    for path in files(folder, "packs") {
        let mut bytes = fs::read(&path).expect("readable");
        let whole = bytes.clone();
        let count = parse::scan(&bytes).len();
        let (table, tail) = (bytes.len() - 44 - ENTRY * count, bytes.len() - 40);
        let chosen =
            |entry: &&mut [u8]| entry[48] == 2 && of.iter().any(|chunk| chunk.0 == entry[..32]);
        for entry in bytes[table..tail - 4].chunks_mut(ENTRY).filter(chosen) {
            entry[50..].copy_from_slice(&other.0);
        }
        if bytes != whole {
            let checksum = Hash::of(&bytes[table..tail]);
            bytes[tail..tail + 32].copy_from_slice(&checksum.0);
            fs::remove_file(&path).expect("removed");
            fs::write(named(folder, Hash::of(&bytes)), bytes).expect("written");
            before.push((path, whole));
        }
    }
    fs::remove_dir_all(folder.join("index")).expect("removed");
    before
}

fn named(folder: &Path, pack: Hash) -> PathBuf {
    let folder = folder.join("packs").join(&pack.to_string()[..2]);
    fs::create_dir_all(&folder).expect("a folder");
    folder.join(format!("{pack}.pack"))
}

#[tokio::test(flavor = "multi_thread")]
async fn table_that_names_another_base_is_damage_and_no_sweep_removes_the_real_one() {
    let (folder, versions) = chain().await;
    let store = in_folder(folder.path()).await;
    let other = store.manifest(&id(1)).await.expect("whole").parts[0].root;
    // Those of nodes would keep a sweep from removing anything at all.
    let mut leaves = HashSet::new();
    let index = store.index().await.expect("the index");
    for (chunk_id, _) in index.chunks() {
        if chunk(&store, *chunk_id).await.expect("whole")[0] == b'L' {
            leaves.insert(*chunk_id);
        }
    }
    let before = name_other_bases(folder.path(), other, &leaves);
    assert_eq!(before.len(), 2);

    for found in [
        check_all(&in_folder(folder.path()).await).await,
        check_trees(&in_folder(folder.path()).await).await,
    ] {
        let affected: HashSet<_> = found
            .iter()
            .flat_map(|damage| damage.affects.iter().map(|(id, _)| id.clone()))
            .collect();
        assert_eq!(affected, HashSet::from([id(2), id(3)]), "{found:?}");
        assert_eq!(found.len(), 2, "one for each pack: {found:?}");
        assert!(found.iter().all(|damage| damage.what.contains("disagree")), "{found:?}");
    }
    // What only the frames know to be needed outlives its own backups, sweep after sweep.
    let store = in_folder(folder.path()).await;
    store.unlink(&id(1)).await.expect("unlinked");
    store.unlink(&id(2)).await.expect("unlinked");
    for _ in 0..3 {
        let swept = sweep(&in_folder(folder.path()).await).await;
        assert_eq!(swept.packs_removed, 0, "{swept:?}");
    }
    for (path, bytes) in before {
        fs::write(path, bytes).expect("written");
    }
    assert!(read(&in_folder(folder.path()).await, &id(3)).await.expect("read") == versions[2]);
    sweep(&in_folder(folder.path()).await).await;
    assert!(read(&in_folder(folder.path()).await, &id(3)).await.expect("read") == versions[2]);
    assert_eq!(check_all(&in_folder(folder.path()).await).await, [], "repaired");
}

#[tokio::test(flavor = "multi_thread")]
async fn pack_that_comes_back_is_read_at_once_and_healed_by_one_verification() {
    for everything in [true, false] {
        let (folder, versions) = chain().await;
        let all = files(folder.path(), "packs");
        let aside = crate::support::folder();
        let lost = all[0].clone();
        fs::rename(&lost, aside.path().join("pack")).expect("moved");
        assert!(!check_all(&in_folder(folder.path()).await).await.is_empty());
        assert!(!check_trees(&in_folder(folder.path()).await).await.is_empty());
        // As a check of another version may have noted it: every chunk of every pack.
        note_everything(folder.path());
        fs::rename(aside.path().join("pack"), &lost).expect("moved back");

        for (n, rows) in (1..).zip(&versions) {
            assert!(read(&in_folder(folder.path()).await, &id(n)).await.expect("read") == *rows);
        }
        let store = in_folder(folder.path()).await;
        let found = if everything { check_all(&store).await } else { check_trees(&store).await };
        assert_eq!(found, []);
        assert!(!folder.path().join("damaged.json").exists());
        let store = in_folder(folder.path()).await;
        assert_eq!(back_up(&store, &id(9), &versions[2]).await.expect("made").new_chunks, 0);
    }
}

/// A note that takes all that is there for damaged.
fn note_everything(folder: &Path) {
    let packs = files(folder, "packs").into_iter().map(|path| {
        let name = path.file_stem().expect("a name").to_str().expect("text").to_owned();
        let bytes = fs::read(&path).expect("readable");
        (name, parse::scan(&bytes).iter().map(|entry| entry.id.to_string()).collect::<Vec<_>>())
    });
    let note = serde_json::json!({ "packs": packs.collect::<HashMap<_, _>>() });
    fs::write(folder.join("damaged.json"), note.to_string()).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn note_that_takes_whole_copies_for_damaged_costs_nothing_in_a_sweep() {
    let (folder, versions) = chain().await;
    note_everything(folder.path());
    let store = in_folder(folder.path()).await;
    store.unlink(&id(1)).await.expect("unlinked");
    sweep(&store).await;
    for n in [2, 3] {
        let store = in_folder(folder.path()).await;
        assert!(read(&store, &id(n)).await.expect("read") == versions[n as usize - 1]);
    }
    assert_eq!(check_all(&in_folder(folder.path()).await).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_copies_the_right_one_is_read_and_kept() {
    for damaged in 0..2 {
        let folder = crate::support::folder();
        let all = rows(300, "one");
        back_up(&in_folder(folder.path()).await, &id(1), &all).await.expect("made");
        // The same chunks beside others make another pack.
        let elsewhere = crate::support::folder();
        let other: Store = in_folder(elsewhere.path()).await;
        let more = [rows(300, "one"), rows(400, "two").split_off(300)].concat();
        back_up(&other, &id(2), &more).await.expect("made");
        back_up(&other, &id(1), &all).await.expect("made");
        for pack in files(elsewhere.path(), "packs") {
            let name: Hash = pack
                .file_stem()
                .and_then(|name| name.to_str())
                .expect("text")
                .parse()
                .expect("a hash");
            fs::copy(&pack, named(folder.path(), name)).expect("copied");
        }
        fs::remove_dir_all(folder.path().join("index")).expect("removed");
        let [first, .., last] = &files(folder.path(), "packs")[..] else { panic!("packs") };
        let pack = if damaged == 0 { first } else { last };
        let mut bytes = fs::read(pack).expect("readable");
        for entry in parse::scan(&bytes.clone()) {
            bytes[entry.offset as usize + 50] ^= 1;
        }
        fs::write(pack, bytes).expect("written");

        assert!(read(&in_folder(folder.path()).await, &id(1)).await.expect("read") == all);
        assert_eq!(check_trees(&in_folder(folder.path()).await).await, []);
        // A sweep that no verification preceded.
        sweep(&in_folder(folder.path()).await).await;
        assert!(read(&in_folder(folder.path()).await, &id(1)).await.expect("read") == all);
        sweep(&in_folder(folder.path()).await).await;
        assert_eq!(check_all(&in_folder(folder.path()).await).await, []);
    }
}
