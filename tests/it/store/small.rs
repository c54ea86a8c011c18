//! Small files on which everything depends: a flipped bit is found, or does no harm; what is lost is
//! written again.

use std::fs;
use std::path::Path;

use ipam_rewind::model::{Ids, Manifest, Parameters, State, seal};
use ipam_rewind::store::{Location, Store, StoreError, parse};

use super::samples::{back_up, id, in_folder, manifest, read, rows, write};

/// The text with this bit flipped.
fn flipped(text: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = text.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

/// Calls `check` with every text that is one bit away; tells how many there were.
fn each_flip(text: &[u8], mut check: impl FnMut(usize, &[u8])) -> usize {
    for bit in 0..text.len() * 8 {
        check(bit, &flipped(text, bit));
    }
    text.len() * 8
}

fn location(folder: &Path) -> Location {
    Location::Folder(folder.to_owned())
}

/// A backup with everything that a manifest says of its store.
async fn published(store: &Store, n: u32, seed: &str) -> Manifest {
    let (part, written) = write(store, &rows(20, seed)).await.expect("written");
    store.confirm(&written).await.expect("there");
    let mut manifest = manifest(&id(n), part);
    manifest.store = Some(store.parameters().into());
    manifest.name(store.claim(&manifest, false).await.expect("claimed"));
    store.publish(&manifest, &State::default()).await.expect("published");
    manifest
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flipped_bit_of_every_small_file_is_found() {
    let folder = crate::support::folder();
    let store = in_folder(folder.path()).await;
    let first = published(&store, 1, "rows").await;
    let state = |state: &mut State| {
        state.pinned = true;
        state.labels.insert("change".into(), "CHG-1".into());
    };
    store.change_state(&first.backup_id, state).await.expect("pinned");
    let text = |name: &str| fs::read(folder.path().join(name)).expect("readable");
    let name = |file: &str| format!("{}/{file}", first.backup_id);

    let mut bits = each_flip(&text("store.json"), |bit, text| {
        assert!(matches!(parse::store(text), Err(StoreError::ParametersDamaged(_))), "bit {bit}");
    });
    bits += each_flip(&text(&name("state.json")), |bit, text| {
        assert!(parse::state(text).is_err(), "bit {bit}");
    });
    bits += each_flip(&text(&name("manifest.json")), |bit, text| {
        assert!(parse::manifest(text).is_err(), "bit {bit}");
    });
    bits += each_flip(&text("ids.json"), |bit, text| {
        assert!(parse::ids(text).is_err(), "bit {bit}");
    });
    let [index] = &super::samples::files(folder.path(), "index")[..] else { panic!("one index") };
    bits += each_flip(&fs::read(index).expect("readable"), |bit, text| {
        assert!(parse::index(text).is_err(), "bit {bit}");
    });
    assert!(bits > 20_000, "{bits}");
}

#[test]
fn flipped_bit_in_a_state_of_earlier_programs_never_unpins() {
    let text = br#"{
  "description": "Known good",
  "pinned": true,
  "labels": {"change": "CHG-1"},
  "restore_tested": true,
  "last_restore": "2025-09-20T14:30:22Z",
  "verification": {"verified_at": "2025-09-20T14:30:22Z", "damage": []}
}"#;
    assert!(parse::state(text).expect("read").pinned);
    each_flip(text, |bit, text| {
        if let Ok(state) = parse::state(text) {
            assert!(state.pinned, "bit {bit}: {}", String::from_utf8_lossy(text));
        }
    });
}

#[test]
fn keys_of_later_programs_are_kept_where_a_checksum_proves_them() {
    let text = seal(&serde_json::json!({"pinned": true, "held_until": "2030"}));
    let state = parse::state(&text).expect("read");
    assert!(seal(&state).windows(12).any(|text| text == b"\"held_until\""));
    assert!(parse::state(br#"{"pinned": true, "held_until": "2030"}"#).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_or_damaged_store_json_is_written_again_from_the_manifests() {
    let folder = crate::support::folder();
    let made = in_folder(folder.path()).await;
    let backup = published(&made, 1, "rows").await;
    let path = folder.path().join("store.json");
    let whole = fs::read(&path).expect("readable");
    let changed = String::from_utf8_lossy(&whole).replace(": 32,", ": 33,").into_bytes();
    assert_ne!(changed, whole);
    let cases = [None, Some(changed), Some(Vec::new()), Some(flipped(&whole, 100))];
    for damaged in &cases {
        match damaged {
            Some(text) => fs::write(&path, text).expect("written"),
            None => fs::remove_file(&path).expect("removed"),
        }
        let store = Store::open(&location(folder.path())).await.expect("opened");
        assert_eq!(store.parameters(), made.parameters());
        assert_eq!(read(&store, &backup.backup_id).await.expect("read").len(), 20);
        let faults = store.check_small_files(std::slice::from_ref(&backup)).await.expect("checked");
        assert!(faults.len() == 1 && faults[0].starts_with("store.json"), "{faults:?}");
        assert_eq!(fs::read(&path).expect("readable"), whole);
        let faults = store.check_small_files(std::slice::from_ref(&backup)).await.expect("checked");
        assert!(faults.is_empty(), "{faults:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn store_json_of_another_format_is_refused_and_left_alone() {
    let folder = crate::support::folder();
    published(&in_folder(folder.path()).await, 1, "rows").await;
    let path = folder.path().join("store.json");
    let later = seal(
        &serde_json::json!({"format": 2, "store_id": "x", "leaf_factor": 1, "node_factor": 1}),
    );
    fs::write(&path, &later).expect("written");
    for opened in [
        Store::open(&location(folder.path())).await,
        Store::open_or_create(&location(folder.path())).await,
    ] {
        assert!(matches!(opened, Err(StoreError::Parameters(_))), "{opened:?}");
    }
    assert_eq!(fs::read(&path).expect("readable"), later);
}

#[tokio::test(flavor = "multi_thread")]
async fn store_of_earlier_programs_is_recovered_and_gets_its_checksums() {
    let folder = crate::support::folder();
    let store = in_folder(folder.path()).await;
    back_up(&store, &id(1), &rows(9, "rows")).await.expect("made");
    let path = folder.path().join("store.json");
    let plain = serde_json::to_vec_pretty(store.parameters()).expect("plain data");
    fs::write(&path, &plain).expect("written");
    let store = Store::open(&location(folder.path())).await.expect("read");
    assert_eq!(store.check_small_files(&[]).await.expect("checked"), Vec::<String>::new());
    assert!(parse::store(&fs::read(&path).expect("there")).expect("read").sealed);

    fs::remove_file(&path).expect("removed");
    let again = in_folder(folder.path()).await;
    let unnamed = |p: &Parameters| Parameters { store_id: String::new(), ..p.clone() };
    assert_eq!(unnamed(again.parameters()), unnamed(store.parameters()));
    assert!(path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_notes_are_named_and_removed() {
    let folder = crate::support::folder();
    let store = in_folder(folder.path()).await;
    for name in ["damaged.json", "doomed.json"] {
        let note = seal(&serde_json::json!({"packs": {}}));
        each_flip(&note, |bit, text| {
            let read = ipam_rewind::model::unseal::<serde_json::Value>(text);
            assert!(read.is_err() || !read.expect("read").sealed, "bit {bit}");
        });
        for damaged in [flipped(&note, 40), b"{\"packt\": {}}".to_vec()] {
            fs::write(folder.path().join(name), damaged).expect("written");
            let faults = store.check_small_files(&[]).await.expect("checked");
            assert!(faults.len() == 1 && faults[0].starts_with(name), "{faults:?}");
            assert!(!folder.path().join(name).exists());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_or_damaged_record_of_ids_is_rebuilt_and_keeps_the_order() {
    let folder = crate::support::folder();
    let store = in_folder(folder.path()).await;
    // By a clock that was set back.
    for (n, seed) in [(30, "one"), (20, "two"), (10, "three")] {
        published(&store, n, seed).await;
    }
    let created = [id(30), id(20), id(10)];
    assert_eq!(store.backups().await.expect("listed"), created);
    let path = folder.path().join("ids.json");
    let whole: Ids = parse::ids(&fs::read(&path).expect("readable")).expect("read");
    for damaged in [None, Some(b"{".to_vec()), Some(flipped(&fs::read(&path).expect("there"), 99))]
    {
        match damaged {
            Some(text) => fs::write(&path, text).expect("written"),
            None => fs::remove_file(&path).expect("removed"),
        }
        assert_eq!(store.backups().await.expect("listed"), created);
        let faults = store.check_small_files(&[]).await.expect("checked");
        assert!(faults.len() == 1 && faults[0].starts_with("ids.json"), "{faults:?}");
        assert_eq!(parse::ids(&fs::read(&path).expect("written")), Ok(whole.clone()));
    }
}
