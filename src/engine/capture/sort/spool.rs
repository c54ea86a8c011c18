//! Sorted runs in temporary files, and how they become one.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use crate::engine::capture::sort::run::Run;

/// What all runs together are buffered with when they are merged, each within the bounds below.
const MERGE_BYTES: usize = 4 << 20;
const RUN_BUFFER: (usize, usize) = (8 << 10, 256 << 10);

/// Sorted runs. So many of one tier become one of the next: so there are never many to be merged,
/// and each row is written once a tier.
#[derive(Debug)]
pub struct Spool {
    tiers: Vec<Tier>,
    fan_in: usize,
}

/// Runs in a file: of each row the lengths of key and row, as `u32`, and both.
#[derive(Debug)]
struct Tier {
    file: File,
    runs: Vec<Range<u64>>,
}

impl Spool {
    /// Without a run yet. So many runs of a tier, at least two, are merged.
    pub fn new(fan_in: usize) -> Self {
        Self { tiers: Vec::new(), fan_in }
    }

    /// Sets a sorted run aside.
    pub fn write(&mut self, run: &Run) -> io::Result<()> {
        self.append(0, |out| run.pairs().try_for_each(|(key, row)| out.write(key, row)))?;
        let mut tier = 0;
        while self.tiers[tier].runs.len() >= self.fan_in {
            let full = std::mem::replace(&mut self.tiers[tier], Tier::new()?);
            self.append(tier + 1, |out| {
                each(merge([&full])?, |error| error, |key, row| out.write(key, row))
            })?;
            tier += 1;
        }
        Ok(())
    }

    fn append(
        &mut self,
        tier: usize,
        rows: impl FnOnce(&mut Rows<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        if tier == self.tiers.len() {
            self.tiers.push(Tier::new()?);
        }
        let Tier { file, runs } = &mut self.tiers[tier];
        let start = runs.last().map_or(0, |run| run.end);
        let mut out = Rows { file: BufWriter::with_capacity(RUN_BUFFER.1, file), end: start };
        rows(&mut out)?;
        out.file.flush()?;
        runs.push(start..out.end);
        Ok(())
    }
}

/// A run that is being written.
struct Rows<'f> {
    file: BufWriter<&'f File>,
    end: u64,
}

impl Rows<'_> {
    fn write(&mut self, key: &[u8], row: &[u8]) -> io::Result<()> {
        self.file.write_all(&short(key).to_le_bytes())?;
        self.file.write_all(&short(row).to_le_bytes())?;
        self.file.write_all(key)?;
        self.file.write_all(row)?;
        self.end += (8 + key.len() + row.len()) as u64;
        Ok(())
    }
}

impl Tier {
    fn new() -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile()?, runs: Vec::new() })
    }
}

fn short(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a run is far smaller than 4 GiB")
}

/// Runs that are being merged, each at its first row that was not given yet; the least comes first.
pub type Merge<'f> = BinaryHeap<Reverse<Cursor<'f>>>;

/// All runs of these spools.
pub fn merge_all(spools: &[Spool]) -> io::Result<Merge<'_>> {
    merge(spools.iter().flat_map(|spool| &spool.tiers))
}

fn merge<'f>(tiers: impl IntoIterator<Item = &'f Tier>) -> io::Result<Merge<'f>> {
    let runs = tiers.into_iter().flat_map(|tier| tier.runs.iter().map(|run| (&tier.file, run)));
    let runs: Vec<_> = runs.collect();
    let buffer = (MERGE_BYTES / runs.len().max(1)).clamp(RUN_BUFFER.0, RUN_BUFFER.1);
    let begin = |(file, run): (_, &Range<u64>)| {
        let reader = BufReader::with_capacity(buffer, FilePart { file, rest: run.clone() });
        let mut cursor = Cursor { reader, pair: Vec::new(), key: 0 };
        cursor.advance().map(|any| any.then_some(Reverse(cursor)))
    };
    runs.into_iter().filter_map(|run| begin(run).transpose()).collect()
}

/// Gives each row with its key, in key order; `failed` tells what it means if no more can be read.
pub fn each<E>(
    mut merge: Merge<'_>,
    failed: impl Fn(io::Error) -> E,
    mut take: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    while let Some(mut first) = merge.peek_mut() {
        let Reverse(cursor) = &mut *first;
        take(cursor.key(), cursor.row())?;
        if !cursor.advance().map_err(&failed)? {
            PeekMut::pop(first);
        }
    }
    Ok(())
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
pub struct Cursor<'f> {
    reader: BufReader<FilePart<'f>>,
    /// Key and row.
    pair: Vec<u8>,
    key: usize,
}

impl Cursor<'_> {
    /// The key of the row that it stands at.
    pub fn key(&self) -> &[u8] {
        &self.pair[..self.key]
    }

    /// This row.
    pub fn row(&self) -> &[u8] {
        &self.pair[self.key..]
    }

    /// Goes to the next row, if there is one.
    pub fn advance(&mut self) -> io::Result<bool> {
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
