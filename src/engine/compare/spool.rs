//! All changes of a comparison in a temporary file, so that each search reads them once from the front, and each
//! page a few of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::engine::EngineError;
use crate::engine::compare::row_change::ChangeKind;
use crate::engine::compare::trees::{changes, differing};
use crate::engine::snapshot::Snapshot;
use crate::model::{Part, RowCounts};
use crate::tree::{Change, Key, Layout, Row};

/// Bytes that a scan reads at a time.
const BLOCK: usize = 4 << 20;
/// Bytes before the rows of a change: how long each is.
const HEAD: usize = 8;
/// The length of a row that is not there.
const NO_ROW: u32 = u32::MAX;

/// Two snapshots, and which of their differences are meant.
pub struct Sides {
    pub old: Snapshot,
    pub new: Snapshot,
    /// The keys of the changes that are meant, by part; all without.
    pub only: Option<BTreeMap<String, BTreeSet<Key>>>,
}

/// The changes of two sides, by part and key.
pub struct Spool {
    file: File,
    /// The parts that differ.
    pub parts: Vec<Arc<Part>>,
    pub entries: Vec<Entry>,
}

/// A change in the file.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    at: u64,
    bytes: u32,
    /// Its place among the parts.
    pub part: u32,
    pub kind: ChangeKind,
    /// Only the time of the last touch changed.
    pub touched: bool,
}

impl Entry {
    /// This one change as a number.
    pub fn counts(&self) -> RowCounts {
        let none = RowCounts::default();
        match self.kind {
            ChangeKind::Added => RowCounts { added: 1, ..none },
            ChangeKind::Removed => RowCounts { removed: 1, ..none },
            ChangeKind::Changed => {
                RowCounts { changed: 1, touched: u64::from(self.touched), ..none }
            }
        }
    }
}

fn failed(source: std::io::Error) -> EngineError {
    let folder = tempfile::env::temp_dir();
    EngineError::Io { doing: format!("keep the changed rows in {}", folder.display()), source }
}

fn kind(change: &Change) -> ChangeKind {
    match (&change.old, &change.new) {
        (Some(_), Some(_)) => ChangeKind::Changed,
        (None, _) => ChangeKind::Added,
        (_, None) => ChangeKind::Removed,
    }
}

impl Spool {
    /// Finds all changes. Blocks.
    ///
    /// # Errors
    /// If a chunk cannot be read, or the file not be written.
    pub fn make(sides: &Sides) -> Result<Self, EngineError> {
        let file = tempfile::tempfile().map_err(failed)?;
        let mut out = BufWriter::with_capacity(BLOCK, &file);
        let (mut parts, mut entries, mut at) = (Vec::new(), Vec::new(), 0);
        for part in differing(&sides.old, &sides.new)? {
            let keys = sides.only.as_ref().map(|only| only.get(&part.name));
            if keys == Some(None) {
                continue;
            }
            let table = sides.new.schema.table(&part.table);
            let layout = Layout::from(table.expect("a part's table is in its schema"));
            let place = u32::try_from(parts.len()).expect("a profile has few parts");
            for change in changes(&part, &layout, &sides.old, &sides.new)? {
                let change = change?;
                if keys.flatten().is_some_and(|keys| !keys.contains(&change.key)) {
                    continue;
                }
                let bytes = write(&mut out, &change).map_err(failed)?;
                let touched = change.counts(&layout).touched > 0;
                entries.push(Entry { at, bytes, part: place, kind: kind(&change), touched });
                at += u64::from(bytes);
            }
            parts.push(part);
        }
        out.flush().map_err(failed)?;
        drop(out);
        Ok(Self { file, parts, entries })
    }

    /// Reads one change. Blocks.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn change(&self, entry: &Entry) -> Result<Change, EngineError> {
        let mut bytes = vec![0; entry.bytes as usize];
        self.file.read_exact_at(&mut bytes, entry.at).map_err(failed)?;
        Ok(parse(&bytes))
    }

    /// Calls `take` for each change of these parts, in order, with its place. Blocks.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn scan(
        &self,
        wanted: impl Fn(&Part) -> bool,
        mut take: impl FnMut(usize, &Entry, &Change),
    ) -> Result<(), EngineError> {
        let wanted: Vec<_> = self.parts.iter().map(|part| wanted(part)).collect();
        let mut block = Vec::new();
        let mut from = 0;
        for (place, entry) in self.entries.iter().enumerate() {
            if !wanted[entry.part as usize] {
                continue;
            }
            let end = entry.at + u64::from(entry.bytes);
            if entry.at < from || end > from + block.len() as u64 {
                let last = self.entries.last().map_or(0, |last| last.at + u64::from(last.bytes));
                let left = usize::try_from(last - entry.at).unwrap_or(usize::MAX);
                block.resize(BLOCK.max(entry.bytes as usize).min(left), 0);
                from = entry.at;
                self.file.read_exact_at(&mut block, from).map_err(failed)?;
            }
            let start = usize::try_from(entry.at - from).expect("within the block");
            take(place, entry, &parse(&block[start..start + entry.bytes as usize]));
        }
        Ok(())
    }
}

/// Writes a change; returns its bytes.
fn write(out: &mut impl Write, change: &Change) -> std::io::Result<u32> {
    let mut bytes = HEAD;
    for row in [&change.old, &change.new] {
        let length = row.as_ref().map(|row| u32::try_from(row.len()).unwrap_or(NO_ROW - 1));
        out.write_all(&length.unwrap_or(NO_ROW).to_le_bytes())?;
        bytes += row.as_ref().map_or(0, Vec::len);
    }
    for row in change.old.iter().chain(&change.new) {
        out.write_all(row)?;
    }
    u32::try_from(bytes).map_err(std::io::Error::other)
}

fn parse(bytes: &[u8]) -> Change {
    let length = |at: usize| {
        let length: [u8; 4] = bytes[at..at + 4].try_into().expect("four bytes");
        Some(u32::from_le_bytes(length)).filter(|length| *length != NO_ROW)
    };
    let (old, new) = (length(0), length(4));
    let rows = &bytes[HEAD..];
    let middle = old.map_or(0, |length| length as usize);
    let row = |length: Option<u32>, row: &[u8]| -> Option<Row> { length.map(|_| row.to_vec()) };
    Change { key: Key::new(), old: row(old, &rows[..middle]), new: row(new, &rows[middle..]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_that_was_written_is_read_as_it_was() {
        let row = |text: &str| Some(text.as_bytes().to_vec());
        for (old, new) in [(row("a\tb"), row("a\tc")), (None, row("a")), (row(""), None)] {
            let change = Change { key: Key::new(), old, new };
            let mut bytes = Vec::new();
            let written = write(&mut bytes, &change).expect("written");
            assert_eq!((written as usize, parse(&bytes)), (bytes.len(), change));
        }
    }
}
