//! Rows in memory, until they are sorted.

use crate::tree::{Layout, RowError};

/// Rows of one part with their keys.
#[derive(Debug, Default)]
pub struct Run {
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
    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of the rows and of what is noted of them.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.rows.len() * size_of::<Item>()
    }

    /// Takes a row.
    pub fn push(&mut self, row: &[u8], layout: &Layout) -> Result<(), RowError> {
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

    /// Puts the rows into key order.
    pub fn sort(&mut self) {
        let Self { bytes, rows, alike } = self;
        for item in &mut *rows {
            item.head = head(&item.key(bytes)[*alike..]);
        }
        // Stable, since that makes use of the stretches that are in order already.
        rows.sort_by(|a, b| a.head.cmp(&b.head).then_with(|| a.key(bytes).cmp(b.key(bytes))));
    }

    /// Each row after its key.
    pub fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.rows.iter().map(|item| (item.key(&self.bytes), item.row(&self.bytes)))
    }

    /// Forgets the rows.
    pub fn clear(&mut self) {
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
