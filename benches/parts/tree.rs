//! Rows ↔ chunks.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use ipam_rewind::tree::split::Splitter;
use ipam_rewind::tree::{Cursor, Diff, Discard, LeafGroup, fields};

use crate::plan::{self, Chunks, ROWS};

/// What happens to each row before it is in a leaf.
pub fn rows(criterion: &mut Criterion) {
    let (rows, layout) = (plan::rows(|_| false), plan::layout());
    let keys: Vec<_> = rows.iter().map(|row| layout.key_of(row).expect("a key")).collect();
    let mut group = criterion.benchmark_group("row");
    group.throughput(Throughput::Bytes(plan::bytes(&rows)));
    group.bench_function("fields", |bencher| {
        bencher.iter(|| rows.iter().map(|row| fields(row).count()).sum::<usize>());
    });
    group.throughput(Throughput::Elements(ROWS.into()));
    group.bench_function("key", |bencher| {
        bencher.iter(|| rows.iter().for_each(|row| drop(black_box(layout.key_of(row)))));
    });
    group.bench_function("split", |bencher| {
        bencher.iter(|| {
            let mut n = 0;
            for key in &keys {
                n = if Splitter::default().ends_after(0, n + 1, key) { 0 } else { n + 1 };
            }
            n
        });
    });
    group.finish();
}

/// Out of leaves: where their fields are, and their rows.
pub fn leaves(criterion: &mut Criterion) {
    let (rows, layout) = (plan::rows(|_| false), plan::layout());
    let mut chunks = Chunks::default();
    let root = plan::build(&rows, &mut chunks).id;
    let leaves: Vec<_> = chunks.kept.iter().filter(|(_, chunk)| chunk[0] == b'L').collect();
    let bytes = leaves.iter().map(|(_, chunk)| chunk.len() as u64).sum();
    let mut group = criterion.benchmark_group("leaf");
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("parse", |bencher| {
        bencher.iter(|| {
            let parsed = leaves.iter().map(|(id, chunk)| LeafGroup::parse(id, chunk));
            parsed.map(|leaf| leaf.expect("a leaf").rows()).sum::<u64>()
        });
    });
    group.throughput(Throughput::Bytes(plan::bytes(&rows)));
    group.bench_function("rows", |bencher| {
        bencher.iter(|| {
            let mut cursor = Cursor::new(&chunks, &layout, &root).expect("a root");
            let mut bytes = 0;
            while let Some((_, row)) = cursor.next_row().expect("all chunks") {
                bytes += row.len();
            }
            bytes
        });
    });
    group.finish();
}

/// A tree as a whole: keys, boundaries, leaves, nodes, hashes.
pub fn build(criterion: &mut Criterion) {
    let rows = plan::rows(|_| false);
    let mut group = criterion.benchmark_group("tree");
    group.sample_size(20).throughput(Throughput::Bytes(plan::bytes(&rows)));
    group.bench_function("build", |bencher| {
        bencher.iter(|| plan::build(&rows, &mut Discard));
    });
    group.finish();
}

/// Two trees of which so many rows, far from each other, differ.
pub fn diff(criterion: &mut Criterion) {
    let layout = plan::layout();
    let mut chunks = Chunks::default();
    let old = plan::build(&plan::rows(|_| false), &mut chunks).id;
    let mut group = criterion.benchmark_group("diff");
    for changed in [0, 10, 1_000] {
        let edited = |n: u32| changed > 0 && n.is_multiple_of(ROWS / changed.max(1));
        let new = plan::build(&plan::rows(edited), &mut chunks).id;
        group.bench_function(BenchmarkId::new("changed", changed), |bencher| {
            bencher.iter(|| {
                let diff = Diff::new(&layout, (&chunks, &old), (&chunks, &new)).expect("roots");
                let found = diff.inspect(|change| assert!(change.is_ok())).count();
                assert_eq!(found, changed as usize);
            });
        });
    }
    group.finish();
}
