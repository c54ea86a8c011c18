//! Sorted runs in a temporary file, and how they become one.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::run::Run;

/// What all runs together are buffered with when they are merged, each within the bounds below.
const MERGE_BYTES: usize = 8 << 20;
const RUN_BUFFER: (usize, usize) = (8 << 10, 256 << 10);

/// Sorted runs in a file: of each row the lengths of key and row, as `u32`, and both.
#[derive(Debug)]
pub struct Spool {
    file: File,
    runs: Vec<Range<u64>>,
}

impl Spool {
    /// Without a run yet.
    pub fn new() -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile()?, runs: Vec::new() })
    }

    /// Sets a sorted run aside.
    pub fn write(&mut self, run: &Run) -> io::Result<()> {
        let start = self.runs.last().map_or(0, |run| run.end);
        let mut end = start;
        let mut file = BufWriter::with_capacity(RUN_BUFFER.1, &self.file);
        for (key, row) in run.pairs() {
            file.write_all(&short(key).to_le_bytes())?;
            file.write_all(&short(row).to_le_bytes())?;
            file.write_all(key)?;
            file.write_all(row)?;
            end += (8 + key.len() + row.len()) as u64;
        }
        file.flush()?;
        self.runs.push(start..end);
        Ok(())
    }
}

fn short(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a run is far smaller than 4 GiB")
}

/// All runs, each at its first row; the least comes first.
pub fn merge(spools: &[Spool]) -> io::Result<BinaryHeap<Reverse<Cursor<'_>>>> {
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
