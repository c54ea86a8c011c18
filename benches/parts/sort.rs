//! Rows in any order → rows in key order.

use criterion::{BenchmarkId, Criterion, Throughput};
use ipam_rewind::engine::sort::{Sorter, drain};
use ipam_rewind::model::Profile;

use crate::plan;

/// Rows as a table might hold them, through one sorter and through as many as sessions read with. All of
/// them are more than one run, so runs are set aside and merged.
pub fn sort(criterion: &mut Criterion) {
    let rows = scattered(&plan::rows(|_| false));
    let mut group = criterion.benchmark_group("sort");
    group.sample_size(20).throughput(Throughput::Bytes(plan::bytes(&rows)));
    for sorters in [1, 2] {
        group.bench_function(BenchmarkId::new("sorters", sorters), |bencher| {
            bencher.iter(|| assert_eq!(sorted(&rows, sorters), rows.len()));
        });
    }
    group.finish();
}

/// The same rows, each far from where it stood. The step has no divisor in common with their number.
fn scattered(rows: &[Vec<u8>]) -> Vec<Vec<u8>> {
    const STEP: usize = 7_919;
    assert!(!rows.len().is_multiple_of(STEP), "it is a prime");
    (0..rows.len()).map(|n| rows[n * STEP % rows.len()].clone()).collect()
}

fn sorted(rows: &[Vec<u8>], count: usize) -> usize {
    let new = |part: &[Vec<u8>]| {
        let mut sorter = Sorter::new(Profile::builtin().parts[0].clone(), plan::layout(), 1 << 20);
        part.iter().try_for_each(|row| sorter.push(row)).map(|()| sorter)
    };
    let sorters: Result<Vec<_>, _> = rows.chunks(rows.len().div_ceil(count)).map(new).collect();
    let mut given = 0;
    let counted = drain(sorters.expect("rows with keys"), |_, _| {
        given += 1;
        Ok(())
    });
    counted.expect("room for the runs");
    given
}
