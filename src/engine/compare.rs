//! The second primitive at work: every row that differs between two snapshots, part by part.

use super::EngineError;
use crate::model::{Part, PartManifest, Schema, Table};
use crate::store::{Reader, StoreError};
use crate::tree::{Change, Diff, Layout, Range, cuts};

/// One of the two snapshots.
#[derive(Debug, Clone)]
pub struct Side {
    /// Reads its chunks.
    pub reader: Reader,
    /// Its trees.
    pub parts: Vec<PartManifest>,
}

impl Side {
    fn part(&self, name: &str) -> Option<&PartManifest> {
        self.parts.iter().find(|part| part.name == name)
    }
}

/// The parts that both sides have and whose rows are not all the same.
pub fn differing(old: &Side, new: &Side) -> Vec<&'static Part> {
    let parts = old
        .parts
        .iter()
        .filter(|part| new.part(&part.name).is_some_and(|other| other.root != part.root));
    parts.filter_map(|part| Part::named(&part.name)).collect()
}

/// The changes of one part, from `old` to `new`, in key order. Blocks.
pub fn changes<'l>(
    part: &Part,
    layout: &'l Layout,
    old: &'l Side,
    new: &'l Side,
) -> Result<Diff<'l, &'l Reader, &'l Reader>, StoreError> {
    let root = |side: &'l Side| side.part(part.name).expect("a part of both sides").root;
    let (old_root, new_root) = (root(old), root(new));
    Diff::new(layout, (&old.reader, &old_root), (&new.reader, &new_root))
}

/// Calls `take` for every change from `old` to `new`. Blocks.
pub fn for_each_change(
    schema: &Schema,
    old: &Side,
    new: &Side,
    take: &mut impl FnMut(&'static Part, &Table, &Layout, Change) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    for part in differing(old, new) {
        let table = schema.table(part.table).expect("a part's table is in its schema");
        let layout = Layout::from(table);
        for change in changes(part, &layout, old, new)? {
            take(part, table, &layout, change?)?;
        }
    }
    Ok(())
}

/// Some keys of a part whose rows are not all the same.
#[derive(Debug)]
pub struct Piece {
    /// The part.
    pub part: &'static Part,
    range: Range,
}

/// What differs, cut into pieces that can be compared side by side; in the order of the parts and
/// their keys. Blocks.
pub fn pieces(old: &Side, new: &Side, count: usize) -> Result<Vec<Piece>, StoreError> {
    let mut pieces = Vec::new();
    for part in differing(old, new) {
        let root = old.part(part.name).expect("a part of both sides").root;
        let mut after = None;
        for key in cuts(&old.reader, &root, count)? {
            let range = Range { after: after.replace(key.clone()), upto: Some(key) };
            pieces.push(Piece { part, range });
        }
        pieces.push(Piece { part, range: Range { after, upto: None } });
    }
    Ok(pieces)
}

impl Piece {
    /// The changes of these keys, from `old` to `new`, in key order. Blocks.
    pub fn changes<'l>(
        &self,
        layout: &'l Layout,
        (old, new): (&'l Side, &'l Side),
    ) -> Result<Diff<'l, &'l Reader, &'l Reader>, StoreError> {
        changes(self.part, layout, old, new)?.within(self.range.clone())
    }
}
