//! One row through a hundred backups, in a folder.

use std::collections::HashMap;

use criterion::Criterion;
use ipam_rewind::engine::Engine;
use ipam_rewind::model::{Hash, State};
use ipam_rewind::store::{Location, Store};
use tokio::runtime::Runtime;

use crate::samples::{self, AgainstLast};

const BACKUPS: u32 = 100;

/// A plan that a cloud sync touches between any two backups, while people edit a few rows.
fn rows(backup: u32) -> Vec<Vec<u8>> {
    let row = |n: u32| {
        // The last backup up to this one in which the row was edited.
        let edited = (0..=backup).rev().find(|edit| (n + edit).is_multiple_of(200)).unwrap_or(0);
        let text = Hash::of(format!("{n} {edited}").as_bytes());
        format!("key-{n:08}\t{text}\ttouched {backup}").into_bytes()
    };
    (0..20_000).map(row).collect()
}

/// Publishes the backups as the engine does: each chunk against the one that stood in its place.
async fn fill(store: &Store) {
    let mut last = HashMap::new();
    for backup in 0..BACKUPS {
        let mut sink = AgainstLast { writer: store.writer().await.expect("a writer"), last };
        let built = tokio::task::spawn_blocking(move || {
            let part = samples::write_tree(&mut sink, &rows(backup));
            (part.expect("the folder takes all"), sink)
        });
        let (part, AgainstLast { writer, last: written }) = built.await.expect("no panic");
        writer.finish().await.expect("the folder takes all");
        let manifest = samples::manifest(&samples::id(backup), part);
        store.publish(&manifest, &State::default()).await.expect("a new id");
        last = written;
    }
}

/// Every backup has another version of the row.
pub fn one_row(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let location = Location::Folder(folder.path().to_owned());
    let store = runtime.block_on(Store::open_or_create(&location)).expect("a store");
    runtime.block_on(fill(&store));
    let engine = Engine::new(store, None);
    let mut group = criterion.benchmark_group("history");
    group.sample_size(20).bench_function("100 versions", |bencher| {
        bencher.iter(|| {
            let history = runtime.block_on(engine.history("vrf", "key-00010000"));
            assert_eq!(history.expect("a history").versions.len(), BACKUPS as usize);
        });
    });
    group.finish();
}
