//! Chunks ↔ packs, over an object store in memory.

use std::sync::Arc;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput};
use futures::TryStreamExt;
use ipam_rewind::model::ChunkId;
use ipam_rewind::store::{LockKind, Store, Writer, parse};
use ipam_rewind::tree::ChunkSource;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::Runtime;

use crate::plan::{self, Chunks};

fn chunks(edited: impl Fn(u32) -> bool) -> Chunks {
    let mut chunks = Chunks::default();
    plan::build(&plan::rows(edited), &mut chunks);
    chunks
}

/// A store over these objects.
fn store(runtime: &Runtime, objects: &Arc<InMemory>) -> Store {
    let store = Store::over(objects.clone(), None, LockKind::LEASE);
    runtime.block_on(store).expect("a store")
}

fn writer(runtime: &Runtime, store: &Store) -> Writer {
    runtime.block_on(store.writer()).expect("a writer")
}

/// A writer to an empty store.
fn fresh(runtime: &Runtime) -> Writer {
    writer(runtime, &store(runtime, &Arc::default()))
}

/// Takes the chunks in the order in which they were made.
fn put(mut writer: Writer, chunks: &Chunks) -> Writer {
    for id in &chunks.made {
        writer.put_with_base(*id, &chunks.kept[id], None).expect("memory takes all");
    }
    writer
}

/// The packs that these objects hold.
fn packs(runtime: &Runtime, objects: &InMemory) -> Vec<Bytes> {
    runtime.block_on(async {
        let found = objects.list(Some(&"packs".into())).try_collect::<Vec<_>>().await;
        let mut packs = Vec::new();
        for meta in found.expect("memory lists all") {
            let pack = objects.get(&meta.location).await.expect("it is there");
            packs.push(pack.bytes().await.expect("it is there"));
        }
        packs
    })
}

/// The name of a chunk.
pub fn hash(criterion: &mut Criterion) {
    let chunks = chunks(|_| false);
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Bytes(chunks.bytes()));
    group.bench_function("hash", |bencher| {
        bencher.iter(|| {
            chunks.kept.iter().for_each(|(id, chunk)| assert_eq!(*id, ChunkId::of(chunk)));
        });
    });
    group.finish();
}

/// Into packs: compressing alone, all of it, and compressing against what was there.
pub fn write(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let old = chunks(|_| false);
    let mut group = criterion.benchmark_group("store");
    group.sample_size(20).throughput(Throughput::Bytes(old.bytes()));
    let each = BatchSize::PerIteration;
    group.bench_function("compress", |bencher| {
        bencher.iter_batched(|| fresh(&runtime), |writer| put(writer, &old), each);
    });
    group.bench_function("write", |bencher| {
        let write =
            |writer| runtime.block_on(put(writer, &old).finish()).expect("memory takes all");
        bencher.iter_batched(|| fresh(&runtime), write, each);
    });

    let store = store(&runtime, &Arc::default());
    let written = put(writer(&runtime, &store), &old).finish();
    runtime.block_on(written).expect("memory takes all");
    // Edits in place move no boundary: the chunks stand in the places of the old ones.
    let new = chunks(|n| n % 50 == 0);
    let places = old.made.iter().zip(&new.made);
    let changed: Vec<(&ChunkId, &ChunkId)> = places.filter(|(old, new)| old != new).collect();
    let bytes = changed.iter().map(|(_, id)| new.kept[*id].len() as u64).sum();
    group.throughput(Throughput::Bytes(bytes));
    let compress = |mut writer: Writer| {
        for (base, id) in &changed {
            let base = (**base, &old.kept[*base][..]);
            writer.put_with_base(**id, &new.kept[*id], Some(base)).expect("memory takes all");
        }
        writer
    };
    group.bench_function("compress against a base", |bencher| {
        bencher.iter_batched(|| writer(&runtime, &store), compress, each);
    });
    group.finish();
    let written = runtime.block_on(compress(writer(&runtime, &store)).finish());
    let written = written.expect("memory takes all");
    assert!(
        written.stored_bytes * 10 < written.new_raw_bytes,
        "differences are small: {written:?}"
    );
}

/// Out of packs: decompressing alone, and as everything reads that reads backups.
pub fn read(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let chunks = chunks(|_| false);
    let objects = Arc::default();
    let store = store(&runtime, &objects);
    let written = put(writer(&runtime, &store), &chunks).finish();
    runtime.block_on(written).expect("memory takes all");
    let packs = packs(&runtime, &objects);
    let mut group = criterion.benchmark_group("store");
    group.sample_size(20).throughput(Throughput::Bytes(chunks.bytes()));
    group.bench_function("decompress", |bencher| {
        bencher.iter(|| {
            let decoded = packs.iter().flat_map(|pack| parse::chunks(pack));
            assert_eq!(decoded.flatten().count(), chunks.made.len());
        });
    });
    group.bench_function("read", |bencher| {
        let reader = || runtime.block_on(store.reader()).expect("a reader");
        bencher.iter_batched(
            reader,
            |reader| {
                let lengths =
                    chunks.made.iter().map(|id| reader.chunk(id).map(|chunk| chunk.len()));
                lengths.sum::<Result<usize, _>>().expect("all chunks")
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}
