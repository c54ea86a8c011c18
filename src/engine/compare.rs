//! The second primitive at work: every row that differs between two snapshots, part by part.

use super::EngineError;
use crate::model::{Part, PartManifest, Schema, Table};
use crate::store::{Reader, StoreError};
use crate::tree::{Change, Diff, Layout};

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
) -> Result<impl Iterator<Item = Result<Change, StoreError>> + 'l, StoreError> {
    let root = |side: &'l Side| side.part(part.name).expect("a part of both sides").root;
    let (old_root, new_root) = (root(old), root(new));
    Diff::new(layout, (&old.reader, &old_root), (&new.reader, &new_root))
}

/// Calls `take` for every change from `old` to `new`. Blocks.
pub fn for_each_change(
    schema: &Schema,
    old: &Side,
    new: &Side,
    take: &mut impl FnMut(&'static Part, &Table, Change) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    for part in differing(old, new) {
        let table = schema.table(part.table).expect("a part's table is in its schema");
        let layout = Layout::from(table);
        for change in changes(part, &layout, old, new)? {
            take(part, table, change?)?;
        }
    }
    Ok(())
}
