//! The hot inner parts, each by itself and without a database: what a backup, a restore and a
//! comparison spend their processor time on.
//!
//! ```text
//! cargo bench --bench parts              # all of them
//! cargo bench --bench parts -- tree/     # those whose name has this in it
//! ```

mod history;
mod plan;
#[expect(dead_code, reason = "the tests use all of it, the benchmarks a part")]
#[path = "../../tests/it/store/samples.rs"]
mod samples;
mod sort;
mod store;
mod tree;

use criterion::{criterion_group, criterion_main};

criterion_group!(
    parts,
    tree::rows,
    tree::leaves,
    sort::sort,
    tree::build,
    tree::diff,
    store::hash,
    store::write,
    store::read,
    history::one_row,
);
criterion_main!(parts);
