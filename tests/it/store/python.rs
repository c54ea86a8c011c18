//! `tests/reader.py`, written from `store-format.md` alone, reads what the program wrote.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use ipam_rewind::model::State;
use ipam_rewind::store::Store;

use super::samples::{back_up, back_up_against, id, in_folder, manifest, rows, write};

fn reader(folder: &Path, arguments: &[&str]) -> (bool, Vec<u8>, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reader.py");
    let mut python = Command::new("/usr/bin/python3");
    let output = python.arg(script).arg(folder).args(arguments).output().expect("python3 runs");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), output.stdout, complaint)
}

/// Backups of rows that change a little each time, stored as differences.
async fn back_up_versions(store: &Store, rows: &[Vec<u8>], ids: std::ops::Range<u32>) {
    let mut rows = rows.to_vec();
    let mut last = HashMap::new();
    for n in ids {
        rows[n as usize * 100] = format!("key-{:08}\tchanged\tone", n * 100).into_bytes();
        last = back_up_against(store, &id(n), &rows, last).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_written_from_the_format_page_alone_reads_lists_and_verifies() {
    let folder = crate::support::folder();
    let store = in_folder(folder.path()).await;
    let all = rows(20_000, "one");
    back_up(&store, &id(1), &all).await.expect("made");
    back_up(&store, &id(2), &[]).await.expect("made");
    back_up_versions(&store, &all, 3..6).await;
    let index = store.index().await.expect("the index");
    assert_eq!(index.chunks().map(|(_, spot)| spot.depth).max(), Some(2));

    let (right, listed, complaint) = reader(folder.path(), &["list"]);
    assert!(right, "{complaint}");
    assert_eq!(
        String::from_utf8_lossy(&listed),
        "20250101_000001 vrfs=20000\n20250101_000002 vrfs=0\n20250101_000003 vrfs=20000\n\
         20250101_000004 vrfs=20000\n20250101_000005 vrfs=20000\n"
    );
    let (right, _, complaint) = reader(folder.path(), &["verify"]);
    assert!(right, "{complaint}");
    let (right, text, complaint) = reader(folder.path(), &["rows", id(1).as_str(), "vrf"]);
    assert!(right, "{complaint}");
    let expected: Vec<u8> = all.iter().flat_map(|row| [&row[..], b"\n"].concat()).collect();
    assert!(text == expected, "other rows");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reader_finds_a_manifest_that_lies() {
    let folder = crate::support::folder();
    let store = in_folder(folder.path()).await;
    let (mut part, _) = write(&store, &rows(100, "one")).await.expect("written");
    part.rows += 1;
    store.publish(&manifest(&id(1), part), &State::default()).await.expect("published");
    let (right, _, complaint) = reader(folder.path(), &["verify"]);
    assert!(!right && complaint.contains("its sums"), "{complaint}");
}
