//! What each kind of damage is taken for: it affects a backup, and which; or it affects none, and the next
//! sweep repairs it.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ipam_rewind::model::{BackupId, Hash};
use ipam_rewind::store::{Damage, Store, parse};

use super::damage::{check_all, check_trees};
use super::samples::{back_up, files, id, in_folder, read, rows};
use super::sweeping::sweep;

/// A store with two backups that share nothing, and their packs.
struct Scene {
    folder: tempfile::TempDir,
    packs: [PathBuf; 2],
}

const COUNT: u32 = 60;

impl Scene {
    async fn new() -> Self {
        let folder = crate::support::folder();
        let store = in_folder(folder.path()).await;
        back_up(&store, &id(1), &rows(COUNT, "one")).await.expect("made");
        let [first] = &files(folder.path(), "packs")[..] else { panic!("one pack") };
        let first = first.clone();
        back_up(&store, &id(2), &rows(COUNT, "two")).await.expect("made");
        let all = files(folder.path(), "packs");
        let second = all.into_iter().find(|pack| *pack != first).expect("two packs");
        Self { packs: [first, second], folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    async fn store(&self) -> Store {
        in_folder(self.path()).await
    }

    async fn is_whole(&self) {
        let store = self.store().await;
        assert_eq!(check_all(&store).await, []);
        assert!(read(&store, &id(1)).await.expect("read") == rows(COUNT, "one"));
        assert!(read(&store, &id(2)).await.expect("read") == rows(COUNT, "two"));
    }

    /// Nothing but findings that affect no backup, which are told in every verification until a sweep;
    /// then all is as new.
    async fn is_harmless(&self, what: &str) {
        for _ in 0..2 {
            let found = check_all(&self.store().await).await;
            assert!(!found.is_empty() && affected(&found).is_empty(), "{what}: {found:?}");
            assert_eq!(check_trees(&self.store().await).await, [], "{what}");
        }
        let store = self.store().await;
        assert!(read(&store, &id(1)).await.expect(what) == rows(COUNT, "one"), "{what}");
        assert_eq!(sweep(&self.store().await).await.problems, Vec::<String>::new(), "{what}");
        self.is_whole().await;
        assert!(!self.path().join("damaged.json").exists(), "{what}");
    }

    /// The first backup is affected, and nothing else; the next backup of its rows heals it, and after a
    /// sweep all is as new.
    async fn affects_the_first(&self, what: &str) {
        for _ in 0..2 {
            let found = check_all(&self.store().await).await;
            assert_eq!(affected(&found), [id(1)], "{what}: {found:?}");
            let affects: Vec<_> =
                found.iter().filter(|damage| !damage.affects.is_empty()).collect();
            assert_eq!(affects.len(), 1, "{what}: one cause, one finding: {found:?}");
            let name = self.packs[0].file_name().expect("a name").to_str().expect("text");
            assert!(affects[0].to_string().contains(name), "{what}: {found:?}");
        }
        assert!(read(&self.store().await, &id(1)).await.is_err(), "{what}");
        back_up(&self.store().await, &id(3), &rows(COUNT, "one")).await.expect("made");
        assert_eq!(check_trees(&self.store().await).await, [], "{what}: healed");
        assert_eq!(sweep(&self.store().await).await.problems, Vec::<String>::new(), "{what}");
        self.is_whole().await;
    }
}

fn affected(found: &[Damage]) -> Vec<BackupId> {
    let mut ids: Vec<_> =
        found.iter().flat_map(|damage| damage.affects.iter().map(|(id, _)| id.clone())).collect();
    ids.sort();
    ids.dedup();
    ids
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("readable");
    bytes[at] ^= 4;
    fs::write(path, bytes).expect("written");
}

/// The regions of a pack with a frame that is not the first: what they are, where, and whether a flip
/// there costs the chunk.
fn regions(pack: &[u8]) -> Vec<(&'static str, Range<usize>, bool)> {
    let entries = parse::scan(pack);
    let entry = entries[entries.len() / 2];
    let frame = entry.offset as usize;
    let stored = entry.stored_len as usize;
    let table = pack.len() - 44 - 82 * entries.len();
    vec![
        ("magic", 0..8, false),
        ("chunk id in a header", frame..frame + 32, true),
        ("codec in a header", frame + 32..frame + 33, true),
        ("raw length in a header", frame + 33..frame + 37, true),
        ("stored length in a header", frame + 37..frame + 41, true),
        ("payload", frame + 45..frame + 41 + stored, true),
        ("chunk id in the table", table..table + 32, false),
        ("offset in the table", table + 32..table + 40, false),
        ("lengths in the table", table + 40..table + 48, false),
        ("codec, depth and base in the table", table + 48..table + 82, false),
        ("number of entries", pack.len() - 44..pack.len() - 40, false),
        ("checksum of the table", pack.len() - 40..pack.len() - 8, false),
        ("end", pack.len() - 8..pack.len(), false),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn flipped_bit_in_any_region_of_a_pack_is_classified_and_repaired() {
    let pack = fs::read(&Scene::new().await.packs[0]).expect("readable");
    let mut cases = 0;
    for (what, region, affects) in regions(&pack) {
        // The first and the last byte, and one between.
        for at in [region.start, region.start.midpoint(region.end - 1), region.end - 1] {
            let scene = Scene::new().await;
            flip(&scene.packs[0], at);
            let what = format!("{what}, byte {at}");
            if affects {
                scene.affects_the_first(&what).await;
            } else {
                scene.is_harmless(&what).await;
            }
            cases += 1;
        }
    }
    assert_eq!(cases, 39);
}

#[tokio::test(flavor = "multi_thread")]
async fn truncated_emptied_or_zeroed_pack_is_classified_and_repaired() {
    let size = fs::read(&Scene::new().await.packs[0]).expect("readable").len();
    let first = [0, 1, 8, 49, size / 2];
    for length in first {
        let scene = Scene::new().await;
        let bytes = fs::read(&scene.packs[0]).expect("readable");
        fs::write(&scene.packs[0], &bytes[..length]).expect("written");
        scene.affects_the_first(&format!("cut to {length} of {size}")).await;
    }
    for length in [size - 1, size - 8, size - 45] {
        let scene = Scene::new().await;
        let bytes = fs::read(&scene.packs[0]).expect("readable");
        fs::write(&scene.packs[0], &bytes[..length]).expect("written");
        scene.is_harmless(&format!("the footer cut to {length} of {size}")).await;
    }
    let scene = Scene::new().await;
    fs::write(&scene.packs[0], vec![0; size]).expect("written");
    scene.affects_the_first("zeros").await;
    let scene = Scene::new().await;
    let bytes = fs::read(&scene.packs[0]).expect("readable");
    fs::write(&scene.packs[0], [&bytes[..], b"more"].concat()).expect("written");
    scene.is_harmless("four bytes too many").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exchanged_or_duplicated_packs_hurt_nobody_and_are_repaired() {
    let scene = Scene::new().await;
    let bytes: Vec<_> = scene.packs.iter().map(|pack| fs::read(pack).expect("readable")).collect();
    fs::write(&scene.packs[0], &bytes[1]).expect("written");
    fs::write(&scene.packs[1], &bytes[0]).expect("written");
    scene.is_harmless("exchanged").await;

    for name in [Hash([0; 32]), Hash([255; 32])] {
        let scene = Scene::new().await;
        let folder = scene.path().join("packs").join(&name.to_string()[..2]);
        fs::create_dir_all(&folder).expect("a folder");
        fs::copy(&scene.packs[0], folder.join(format!("{name}.pack"))).expect("copied");
        scene.is_harmless("a second name").await;
        assert_eq!(files(scene.path(), "packs").len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_pack_is_named_once_with_the_backups_that_need_it() {
    let scene = Scene::new().await;
    fs::remove_file(&scene.packs[0]).expect("removed");
    for found in [check_all(&scene.store().await).await, check_trees(&scene.store().await).await] {
        let [damage] = &found[..] else { panic!("one: {found:?}") };
        let name = scene.packs[0].file_name().expect("a name").to_str().expect("text");
        let said = damage.to_string();
        assert!(said.contains(name) && said.contains("the file is lost"), "{said}");
        assert_eq!(affected(&found), [id(1)]);
    }
    scene.affects_the_first("missing").await;

    // Without an index object nobody knows its name.
    let scene = Scene::new().await;
    fs::remove_dir_all(scene.path().join("index")).expect("removed");
    fs::remove_file(&scene.packs[0]).expect("removed");
    let found = check_all(&scene.store().await).await;
    let [damage] = &found[..] else { panic!("one: {found:?}") };
    assert!(damage.to_string().contains("in no pack"), "{damage}");
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_index_object_is_told_affects_nobody_and_is_made_anew() {
    let scene = Scene::new().await;
    let index = files(scene.path(), "index").remove(0);
    let size = fs::read(&index).expect("readable").len();
    for at in 0..size {
        // Each byte is found; every 60th case is taken to its end.
        flip(&index, at);
        let found = check_all(&scene.store().await).await;
        assert!(
            found.len() == 1 && found[0].to_string().contains("index/"),
            "byte {at}: {found:?}"
        );
        assert_eq!(affected(&found), [], "byte {at}");
        if at % 60 == 0 {
            let scene = Scene::new().await;
            flip(&files(scene.path(), "index")[0], at);
            scene.is_harmless(&format!("index byte {at}")).await;
        }
        flip(&index, at);
    }
    for bytes in [&b""[..], &vec![0; size]] {
        let scene = Scene::new().await;
        fs::write(&files(scene.path(), "index")[0], bytes).expect("written");
        scene.is_harmless("emptied or zeroed").await;
    }
    // The one object over all packs, as a sweep leaves it, is made anew under the same name.
    let scene = Scene::new().await;
    sweep(&scene.store().await).await;
    let [merged] = &files(scene.path(), "index")[..] else { panic!("one index object") };
    let whole = fs::read(merged).expect("readable");
    flip(merged, 100);
    scene.is_harmless("the merged one").await;
    assert!(fs::read(merged).expect("readable") == whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn flipped_bit_anywhere_in_a_manifest_is_found() {
    let scene = Scene::new().await;
    let path = scene.path().join(id(1).as_str()).join("manifest.json");
    let text = fs::read(&path).expect("readable");
    parse::manifest(&text).expect("whole");
    for at in 0..text.len() {
        let mut flipped = text.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(parse::manifest(&flipped).is_err(), "byte {at}");
    }
    for cut in 0..text.len() {
        // Without the line end at its end it still is a manifest, but not the one that was written.
        assert!(parse::manifest(&text[..cut]).is_err(), "cut to {cut}");
    }
}
