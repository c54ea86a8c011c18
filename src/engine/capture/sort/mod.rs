//! Puts the rows of a part into key order, however many there are: an external merge sort.
//!
//! The server could do it, but its sort compares whole texts and cannot know that these share long
//! beginnings; and it would hold back the first row until it has read the last. Here rows are
//! sorted in runs while the next ones arrive. What fits into one run stays in memory; else the runs
//! lie in temporary files that have no names, and go with the process however that ends.

mod run;
mod spool;

use std::io;
use std::sync::Arc;

use crate::engine::EngineError;
use crate::engine::capture::sort::run::Run;
use crate::engine::capture::sort::spool::{Spool, each, merge_all};
use crate::model::Part;
use crate::tree::{Layout, fields, key_text};

/// A run is sorted once its rows and what is noted of them have this many bytes.
const RUN_BYTES: usize = 2 << 20;
/// So many runs become one: 2 GiB of rows, then 2 TiB. With fewer, more rows are written twice.
const FAN_IN: usize = 1024;

/// Takes the rows of a part in any order.
#[derive(Debug)]
pub struct Sorter {
    part: Arc<Part>,
    layout: Layout,
    max_row: usize,
    run: Run,
    run_bytes: usize,
    fan_in: usize,
    spool: Option<Spool>,
}

impl Sorter {
    /// For rows of this part, whose layout this is, of at most so many bytes.
    #[must_use]
    pub fn new(part: Arc<Part>, layout: Layout, max_row: usize) -> Self {
        Self {
            part,
            layout,
            max_row,
            run: Run::default(),
            run_bytes: RUN_BYTES,
            fan_in: FAN_IN,
            spool: None,
        }
    }

    /// Takes a row: COPY text without its line end.
    ///
    /// # Errors
    /// If the row is too long or has no key, or a full run cannot be set aside.
    pub fn push(&mut self, row: &[u8]) -> Result<(), EngineError> {
        if row.len() > self.max_row {
            return Err(too_long(&self.part, &self.layout, row, self.max_row));
        }
        if self.run.size() + row.len() > self.run_bytes && !self.run.is_empty() {
            self.spill().map_err(|error| set_aside(&self.part, error))?;
        }
        let pushed = self.run.push(row, &self.layout);
        pushed.map_err(|error| EngineError::building(&self.part.name, error.into()))
    }

    fn spill(&mut self) -> io::Result<()> {
        self.run.sort();
        self.spool.get_or_insert_with(|| Spool::new(self.fan_in)).write(&self.run)?;
        self.run.clear();
        Ok(())
    }

    fn spill_all(mut self) -> io::Result<Spool> {
        self.spill()?;
        Ok(self.spool.expect("something was spilled"))
    }
}

/// The error that a row of this part has more than so many bytes.
pub fn too_long(part: &Part, layout: &Layout, row: &[u8], limit: usize) -> EngineError {
    let longest = fields(row).enumerate().max_by_key(|(_, field)| field.len());
    let place = longest.map_or(0, |(place, _)| place);
    EngineError::RowTooLong {
        table: part.table.clone(),
        key: key_text(row, layout.key_columns()),
        bytes: row.len(),
        place,
        column: format!("number {}", place + 1),
        limit,
    }
}

/// Gives each row with its key, in key order: all rows that these sorters of one part took.
///
/// # Errors
/// What `take` answers; if a run cannot be set aside or read again.
pub fn drain(
    mut sorters: Vec<Sorter>,
    mut take: impl FnMut(&[u8], &[u8]) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    if let [Sorter { run, spool: None, .. }] = &mut sorters[..] {
        run.sort();
        return run.pairs().try_for_each(|(key, row)| take(key, row));
    }
    let part = sorters[0].part.clone();
    let aside = |error| set_aside(&part, error);
    let spools: Result<Vec<_>, _> = sorters.into_iter().map(Sorter::spill_all).collect();
    let spools = spools.map_err(aside)?;
    each(merge_all(&spools).map_err(aside)?, aside, take)
}

fn set_aside(part: &Part, source: io::Error) -> EngineError {
    let folder = tempfile::env::temp_dir();
    EngineError::Io {
        doing: format!(
            "set the rows of {} aside in {}; see --scratch",
            part.name,
            folder.display()
        ),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{KeyKind, Profile};
    use proptest::prelude::*;

    fn sorter(kind: KeyKind, (run_bytes, fan_in): (usize, usize)) -> Sorter {
        let layout = Layout::new(2, vec![kind], vec![vec![0, 1]]);
        let part = Profile::builtin().part("vrfs").expect("there is one").clone();
        Sorter { run_bytes, fan_in, ..Sorter::new(part, layout, 1 << 20) }
    }

    /// Returns what comes out if each sorter takes every so-many-th row.
    fn sorted(
        rows: &[String],
        kind: KeyKind,
        bounds: (usize, usize),
        sorters: usize,
    ) -> Vec<(Vec<u8>, String)> {
        let mut sorters: Vec<_> =
            std::iter::repeat_with(|| sorter(kind, bounds)).take(sorters).collect();
        for (place, row) in rows.iter().enumerate() {
            let sorter = place % sorters.len();
            sorters[sorter].push(row.as_bytes()).expect("a row");
        }
        let mut out = Vec::new();
        let text = |row: &[u8]| String::from_utf8(row.to_vec()).expect("as pushed");
        drain(sorters, |key, row| {
            out.push((key.to_vec(), text(row)));
            Ok(())
        })
        .expect("there is room");
        out
    }

    #[test]
    fn few_runs_are_left_to_be_merged_however_many_were_set_aside() {
        let mut sorter = sorter(KeyKind::Text, (1, 4));
        for n in 0..1000 {
            sorter.push(format!("{n}\t").as_bytes()).expect("a row");
        }
        let left =
            merge_all(&[sorter.spill_all().expect("there is room")]).expect("its runs").len();
        assert!(left <= 3 * 5, "{left} runs in tiers of 1, 4, 16, 64 and 256 rows");
    }

    proptest! {
        #[test]
        fn rows_come_out_in_key_order_whether_they_fit_into_memory_or_not(
            keys in proptest::collection::btree_set("(common-){0,2}[a-c0-9]{0,12}", 0..200),
            seed: u64, bounds in (1_usize..20_000, 2_usize..20), sorters in 1_usize..4,
        ) {
            let wanted: Vec<_> = keys.iter().map(|key| format!("{key}\tof {key}")).collect();
            let mut rows = wanted.clone();
            rows.sort_by_key(|row| crate::model::Hash::of(format!("{seed}{row}").as_bytes()).0);
            let sorted = sorted(&rows, KeyKind::Text, bounds, sorters);
            prop_assert!(sorted.iter().map(|(key, _)| key).eq(keys.iter().map(String::as_bytes)));
            prop_assert!(sorted.iter().map(|(_, row)| row).eq(&wanted));
        }

        #[test]
        fn numbers_come_in_the_order_of_their_values(
            keys in proptest::collection::btree_set(any::<i64>(), 0..100), run_bytes in 1_usize..5_000,
        ) {
            let rows: Vec<_> = keys.iter().rev().map(|key| format!("{key}\t")).collect();
            let sorted = sorted(&rows, KeyKind::Integer, (run_bytes, FAN_IN), 1);
            prop_assert!(sorted.iter().map(|(_, row)| row).eq(rows.iter().rev()));
        }
    }
}
