//! Puts the rows of a part into key order, however many there are: an external merge sort.
//!
//! The server could do it, but its sort compares whole texts and cannot know that these share long
//! beginnings; and it would hold back the first row until it has read the last. Here rows are
//! sorted in runs while the next ones arrive. What fits into one run stays in memory; else the runs
//! lie in a temporary file that has no name, and goes with the process however that ends.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::EngineError;
use crate::model::Part;
use crate::tree::{Layout, RowError};

/// A run is sorted once its rows and what is noted of them have this many bytes.
const RUN_BYTES: usize = 2 << 20;
/// What all runs together are buffered with when they are merged, each within the bounds below.
const MERGE_BYTES: usize = 8 << 20;
const RUN_BUFFER: (usize, usize) = (8 << 10, 256 << 10);

/// Takes the rows of a part in any order.
#[derive(Debug)]
pub struct Sorter {
    part: &'static Part,
    layout: Layout,
    run: Run,
    run_bytes: usize,
    spool: Option<Spool>,
}

impl Sorter {
    /// For rows of this part, whose layout this is.
    #[must_use]
    pub fn new(part: &'static Part, layout: Layout) -> Self {
        Self { part, layout, run: Run::default(), run_bytes: RUN_BYTES, spool: None }
    }

    /// Takes a row: COPY text without its line end.
    ///
    /// # Errors
    /// If the row has no key, or a full run cannot be set aside.
    pub fn push(&mut self, row: &[u8]) -> Result<(), EngineError> {
        if self.run.size() + row.len() > self.run_bytes && !self.run.rows.is_empty() {
            self.spill().map_err(|error| set_aside(self.part, error))?;
        }
        let pushed = self.run.push(row, &self.layout);
        pushed.map_err(|error| EngineError::building(self.part.name, error.into()))
    }

    fn spill(&mut self) -> io::Result<()> {
        self.run.sort();
        let spool = match &mut self.spool {
            Some(spool) => spool,
            none => none.insert(Spool::new()?),
        };
        spool.write(&self.run)?;
        self.run.clear();
        Ok(())
    }

    fn spill_all(mut self) -> io::Result<Spool> {
        self.spill()?;
        Ok(self.spool.expect("something was spilled"))
    }
}

/// Gives each row with its key, in key order: all rows that these sorters of one part took.
///
/// # Errors
/// What `each` answers; if a run cannot be set aside or read again.
pub fn drain(
    mut sorters: Vec<Sorter>,
    mut each: impl FnMut(&[u8], &[u8]) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    if let [Sorter { run, spool: None, .. }] = &mut sorters[..] {
        run.sort();
        return run.pairs().try_for_each(|(key, row)| each(key, row));
    }
    let part = sorters[0].part;
    let aside = |error| set_aside(part, error);
    let spools: Result<Vec<_>, _> = sorters.into_iter().map(Sorter::spill_all).collect();
    let spools = spools.map_err(aside)?;
    let mut merge = merge(&spools).map_err(aside)?;
    while let Some(mut first) = merge.peek_mut() {
        let Reverse(cursor) = &mut *first;
        each(cursor.key(), cursor.row())?;
        if !cursor.advance().map_err(aside)? {
            PeekMut::pop(first);
        }
    }
    Ok(())
}

fn set_aside(part: &Part, source: io::Error) -> EngineError {
    let folder = std::env::temp_dir();
    EngineError::Io {
        doing: format!("set the rows of {} aside in {}", part.name, folder.display()),
        source,
    }
}

/// Rows in memory.
#[derive(Debug, Default)]
struct Run {
    /// Key and row, one after another.
    bytes: Vec<u8>,
    rows: Vec<Item>,
    /// With how many bytes all keys begin alike.
    alike: usize,
}

#[derive(Debug, Clone, Copy)]
struct Item {
    /// The key's bytes that follow those that all keys share; set when the run is sorted.
    head: u64,
    start: u32,
    key: u32,
    row: u32,
}

impl Item {
    fn key<'r>(&self, bytes: &'r [u8]) -> &'r [u8] {
        &bytes[self.start as usize..][..self.key as usize]
    }

    fn row<'r>(&self, bytes: &'r [u8]) -> &'r [u8] {
        &bytes[self.start as usize + self.key as usize..][..self.row as usize]
    }
}

impl Run {
    fn size(&self) -> usize {
        self.bytes.len() + self.rows.len() * size_of::<Item>()
    }

    fn push(&mut self, row: &[u8], layout: &Layout) -> Result<(), RowError> {
        let start = self.bytes.len();
        layout.append_key(&mut self.bytes, row)?;
        let length = self.bytes.len() - start;
        self.alike = match self.rows.first() {
            Some(first) => alike(&first.key(&self.bytes)[..self.alike], &self.bytes[start..]),
            None => length,
        };
        self.bytes.extend_from_slice(row);
        let short = |length| u32::try_from(length).expect("a run is far smaller than 4 GiB");
        let (start, key, row) = (short(start), short(length), short(row.len()));
        self.rows.push(Item { head: 0, start, key, row });
        Ok(())
    }

    fn sort(&mut self) {
        let Self { bytes, rows, alike } = self;
        for item in &mut *rows {
            item.head = head(&item.key(bytes)[*alike..]);
        }
        // Stable, since that makes use of the stretches that are in order already.
        rows.sort_by(|a, b| a.head.cmp(&b.head).then_with(|| a.key(bytes).cmp(b.key(bytes))));
    }

    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.rows.iter().map(|item| (item.key(&self.bytes), item.row(&self.bytes)))
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
    }
}

/// With how many bytes both begin alike.
fn alike(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The first eight bytes as a number that compares as they do.
fn head(key: &[u8]) -> u64 {
    let mut head = [0; 8];
    let length = key.len().min(8);
    head[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(head)
}

/// Sorted runs in a file: of each row the lengths of key and row, as `u32`, and both.
#[derive(Debug)]
struct Spool {
    file: File,
    runs: Vec<Range<u64>>,
}

impl Spool {
    fn new() -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile()?, runs: Vec::new() })
    }

    fn write(&mut self, run: &Run) -> io::Result<()> {
        let start = self.runs.last().map_or(0, |run| run.end);
        let mut end = start;
        let mut file = BufWriter::with_capacity(RUN_BUFFER.1, &self.file);
        for (item, (key, row)) in run.rows.iter().zip(run.pairs()) {
            file.write_all(&item.key.to_le_bytes())?;
            file.write_all(&item.row.to_le_bytes())?;
            file.write_all(key)?;
            file.write_all(row)?;
            end += (8 + key.len() + row.len()) as u64;
        }
        file.flush()?;
        self.runs.push(start..end);
        Ok(())
    }
}

/// All runs, each at its first row; the least comes first.
fn merge(spools: &[Spool]) -> io::Result<BinaryHeap<Reverse<Cursor<'_>>>> {
    let runs = || spools.iter().flat_map(|spool| spool.runs.iter().map(|run| (&spool.file, run)));
    let buffer = (MERGE_BYTES / runs().count()).clamp(RUN_BUFFER.0, RUN_BUFFER.1);
    let begin = |(file, run): (_, &Range<u64>)| {
        let reader = BufReader::with_capacity(buffer, FilePart { file, rest: run.clone() });
        let mut cursor = Cursor { reader, pair: Vec::new(), key: 0 };
        cursor.advance().map(|any| any.then_some(Reverse(cursor)))
    };
    runs().filter_map(|run| begin(run).transpose()).collect()
}

/// A part of a file that others read as well.
struct FilePart<'f> {
    file: &'f File,
    rest: Range<u64>,
}

impl Read for FilePart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(self.rest.end - self.rest.start).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(rest);
        let read = self.file.read_at(&mut buffer[..wanted], self.rest.start)?;
        self.rest.start += read as u64;
        Ok(read)
    }
}

/// A run that is being merged, at one of its rows.
struct Cursor<'f> {
    reader: BufReader<FilePart<'f>>,
    /// Key and row.
    pair: Vec<u8>,
    key: usize,
}

impl Cursor<'_> {
    fn key(&self) -> &[u8] {
        &self.pair[..self.key]
    }

    fn row(&self) -> &[u8] {
        &self.pair[self.key..]
    }

    /// Goes to the next row, if there is one.
    fn advance(&mut self) -> io::Result<bool> {
        let done = self.reader.buffer().is_empty() && self.reader.get_ref().rest.is_empty();
        if done {
            return Ok(false);
        }
        let mut length = || {
            let mut length = [0; 4];
            self.reader.read_exact(&mut length)?;
            io::Result::Ok(u32::from_le_bytes(length) as usize)
        };
        let (key, row) = (length()?, length()?);
        self.key = key;
        self.pair.resize(key + row, 0);
        self.reader.read_exact(&mut self.pair)?;
        Ok(true)
    }
}

impl PartialEq for Cursor<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Cursor<'_> {}

impl PartialOrd for Cursor<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Cursor<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(other.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::KeyKind;
    use proptest::prelude::*;

    /// What comes out if each sorter takes every so-many-th row.
    fn sorted(
        rows: &[String],
        kind: KeyKind,
        run_bytes: usize,
        sorters: usize,
    ) -> Vec<(Vec<u8>, String)> {
        let layout = Layout::new(2, vec![kind], vec![vec![0, 1]]);
        let part = Part::named("vrfs").expect("there is one");
        let new = || Sorter { run_bytes, ..Sorter::new(part, layout.clone()) };
        let mut sorters: Vec<_> = std::iter::repeat_with(new).take(sorters).collect();
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

    proptest! {
        #[test]
        fn rows_come_out_in_key_order_whether_they_fit_into_memory_or_not(
            keys in proptest::collection::btree_set("(common-){0,2}[a-c0-9]{0,12}", 0..200),
            seed: u64, run_bytes in 1_usize..20_000, sorters in 1_usize..4,
        ) {
            let wanted: Vec<_> = keys.iter().map(|key| format!("{key}\tof {key}")).collect();
            let mut rows = wanted.clone();
            rows.sort_by_key(|row| crate::model::Hash::of(format!("{seed}{row}").as_bytes()).0);
            let sorted = sorted(&rows, KeyKind::Text, run_bytes, sorters);
            prop_assert!(sorted.iter().map(|(key, _)| key).eq(keys.iter().map(String::as_bytes)));
            prop_assert!(sorted.iter().map(|(_, row)| row).eq(&wanted));
        }

        #[test]
        fn numbers_come_in_the_order_of_their_values(
            keys in proptest::collection::btree_set(any::<i64>(), 0..100), run_bytes in 1_usize..5_000,
        ) {
            let rows: Vec<_> = keys.iter().rev().map(|key| format!("{key}\t")).collect();
            let sorted = sorted(&rows, KeyKind::Integer, run_bytes, 1);
            prop_assert!(sorted.iter().map(|(_, row)| row).eq(rows.iter().rev()));
        }
    }
}
