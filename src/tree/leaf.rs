//! A leaf's rows, column by column: one chunk for each group of columns.
//!
//! ```text
//! 'L'  rows: varint  columns: varint  then for each column, for each row: the COPY field, 0x0A
//! ```
//!
//! A COPY field holds no raw line end, so a field ends where one stands. Each field of a row is
//! followed by one byte here (a line end) as in COPY text (a tab or a line end): the bytes after
//! the heads of all groups of a leaf are, in number, the bytes of its rows.

use bytes::Bytes;
use memchr::memchr_iter;

use super::row::{Key, Row, RowError, fields};
use super::{Layout, Malformed, varint};
use crate::model::ChunkId;

/// The first byte of a leaf's chunk.
pub const TAG: u8 = b'L';

/// Collects the rows of the leaf that is being made.
#[derive(Debug)]
pub struct LeafBuilder {
    columns: Vec<Vec<u8>>,
    rows: u64,
    bytes: u64,
}

impl LeafBuilder {
    /// An empty leaf.
    pub fn new(layout: &Layout) -> Self {
        Self { columns: vec![Vec::new(); layout.columns()], rows: 0, bytes: 0 }
    }

    /// Adds a row.
    pub fn push(&mut self, row: &[u8]) -> Result<(), RowError> {
        let mut fields = fields(row);
        for column in &mut self.columns {
            column.extend_from_slice(fields.next().ok_or(RowError::Columns)?);
            column.push(b'\n');
        }
        if fields.next().is_some() {
            return Err(RowError::Columns);
        }
        self.rows += 1;
        self.bytes += row.len() as u64 + 1;
        Ok(())
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes of COPY text so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The chunk of each group; the builder is empty afterwards.
    pub fn take(&mut self, layout: &Layout) -> Vec<Vec<u8>> {
        let encode = |group: &Vec<usize>| {
            let length: usize = group.iter().map(|&column| self.columns[column].len()).sum();
            let mut out = Vec::with_capacity(length + 12);
            out.push(TAG);
            varint::write(&mut out, self.rows);
            varint::write(&mut out, group.len() as u64);
            for &column in group {
                out.extend_from_slice(&self.columns[column]);
            }
            out
        };
        let chunks = layout.groups().iter().map(encode).collect();
        self.columns.iter_mut().for_each(Vec::clear);
        (self.rows, self.bytes) = (0, 0);
        chunks
    }
}

/// One group of columns of a leaf.
#[derive(Debug, Clone)]
pub struct LeafGroup {
    rows: usize,
    columns: usize,
    body: Bytes,
    /// Where each field ends, column by column.
    ends: Vec<u32>,
}

impl LeafGroup {
    /// Reads a chunk.
    ///
    /// # Errors
    /// If the bytes are not those of a leaf's group.
    pub fn parse(id: &ChunkId, chunk: &Bytes) -> Result<Self, Malformed> {
        let malformed = |what| Malformed { id: *id, what };
        let mut rest = chunk.strip_prefix(&[TAG]).ok_or(malformed("it is not a leaf"))?;
        let rows = varint::read_usize(&mut rest).ok_or(malformed("a leaf's row count"))?;
        let columns = varint::read_usize(&mut rest).ok_or(malformed("a leaf's column count"))?;
        let expected = rows.checked_mul(columns).filter(|&fields| fields > 0);
        let expected = expected.ok_or(malformed("a leaf without fields"))?;
        if expected > rest.len() || u32::try_from(rest.len()).is_err() {
            return Err(malformed("a leaf with fewer fields than it says"));
        }
        let body = chunk.slice(chunk.len() - rest.len()..);
        let mut ends = Vec::with_capacity(expected);
        let found = memchr_iter(b'\n', &body).take(expected);
        ends.extend(found.map(|end| u32::try_from(end).expect("checked above")));
        let last = ends.last().map_or(0, |&end| end as usize + 1);
        if ends.len() != expected || last != body.len() {
            return Err(malformed("a leaf with another number of fields than it says"));
        }
        Ok(Self { rows, columns, body, ends })
    }

    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows as u64
    }

    /// Columns of this group.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes of its fields, each with the byte that ends it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.body.len() as u64
    }

    /// Rows, as a length.
    pub(super) fn row_count(&self) -> usize {
        self.rows
    }

    pub(super) fn field(&self, column: usize, row: usize) -> &[u8] {
        let place = column * self.rows + row;
        &self.body[self.start(place)..self.ends[place] as usize]
    }

    /// All fields of a column, with the bytes that end them.
    pub(super) fn column(&self, column: usize) -> &[u8] {
        &self.body[self.start(column * self.rows)..self.start((column + 1) * self.rows)]
    }

    fn start(&self, place: usize) -> usize {
        if place == 0 { 0 } else { self.ends[place - 1] as usize + 1 }
    }
}

/// All groups of a leaf.
#[derive(Debug)]
pub struct Leaf {
    /// Its first group's chunk.
    id: ChunkId,
    groups: Vec<LeafGroup>,
    /// For each column its group and its place there.
    places: Vec<(usize, usize)>,
}

impl Leaf {
    /// Puts the groups of a leaf together.
    pub fn new(id: &ChunkId, groups: Vec<LeafGroup>, layout: &Layout) -> Result<Self, Malformed> {
        let fits = groups.len() == layout.groups().len()
            && groups.iter().zip(layout.groups()).all(|(group, columns)| {
                group.columns == columns.len() && group.rows == groups[0].rows
            });
        if !fits {
            return Err(Malformed { id: *id, what: "a leaf's groups do not fit its table" });
        }
        let mut places = vec![(0, 0); layout.columns()];
        for (group, columns) in layout.groups().iter().enumerate() {
            for (place, &column) in columns.iter().enumerate() {
                places[column] = (group, place);
            }
        }
        Ok(Self { id: *id, groups, places })
    }

    /// The keys of the rows of a leaf's first group.
    pub fn keys_of(group: &LeafGroup, layout: &Layout) -> Result<Vec<Key>, RowError> {
        // The key columns are the first of the row, but may stand anywhere in the group.
        let columns = &layout.groups()[0];
        let place = |key: usize| columns.iter().position(|column| *column == key);
        let places: Vec<_> = (0..layout.key_columns()).filter_map(place).collect();
        if group.columns != columns.len() {
            return Err(RowError::Columns);
        }
        let key = |row| layout.encode_key(places.iter().map(|place| group.field(*place, row)));
        (0..group.rows).map(key).collect()
    }

    /// The chunk of its first group.
    pub fn id(&self) -> ChunkId {
        self.id
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.groups[0].rows
    }

    fn fields(&self, row: usize) -> impl Iterator<Item = &[u8]> {
        (0..self.places.len()).map(move |column| self.cell(column, row))
    }

    /// The COPY text of a row.
    pub fn row(&self, row: usize) -> Row {
        let mut out = Vec::with_capacity(256);
        for field in self.fields(row) {
            out.extend_from_slice(field);
            out.push(b'\t');
        }
        out.pop();
        out
    }

    /// The key of a row.
    pub fn key(&self, row: usize, layout: &Layout) -> Result<Key, RowError> {
        layout.encode_key(self.fields(row))
    }

    /// Which rows of another leaf with the very same keys are not the same; `None` if its keys are
    /// others. Compares whole columns, and looks into those alone that differ.
    pub fn differing_rows(&self, other: &Self, layout: &Layout) -> Option<Vec<usize>> {
        let same = |column: &usize| self.column(*column) == other.column(*column);
        if self.rows() != other.rows() || !(0..layout.key_columns()).all(|column| same(&column)) {
            return None;
        }
        let mut rows = vec![false; self.rows()];
        for column in (layout.key_columns()..layout.columns()).filter(|column| !same(column)) {
            for (row, differs) in rows.iter_mut().enumerate() {
                *differs |= self.cell(column, row) != other.cell(column, row);
            }
        }
        Some((0..rows.len()).filter(|&row| rows[row]).collect())
    }

    fn cell(&self, column: usize, row: usize) -> &[u8] {
        let (group, place) = self.places[column];
        self.groups[group].field(place, row)
    }

    fn column(&self, column: usize) -> &[u8] {
        let (group, place) = self.places[column];
        self.groups[group].column(place)
    }
}
