//! The second primitive at work: every row that differs between two snapshots, part by part.

use std::sync::Arc;

use crate::engine::EngineError;
use crate::engine::snapshot::Snapshot;
use crate::model::{Part, PartManifest, Table};
use crate::store::{Reader, StoreError};
use crate::tree::{Change, Diff, Layout, Range, cuts};

/// The parts whose rows are not all the same.
///
/// # Errors
/// [`EngineError::PartsDiffer`] unless both sides hold the same known parts: what only one of them has
/// must not pass for equal.
pub fn differing(old: &Snapshot, new: &Snapshot) -> Result<Vec<Arc<Part>>, EngineError> {
    if !old.profile.divides_as(&new.profile) {
        let (old, new) = (&old.profile.name, &new.profile.name);
        return Err(EngineError::PartsDiffer(format!(
            "the profiles {old} and {new} divide the tables in different ways"
        )));
    }
    same_parts(&old.parts, &new.parts)?;
    let mut differing = Vec::new();
    for (before, after) in old.parts.iter().zip(&new.parts) {
        let unknown = || EngineError::PartsDiffer(format!("{} is no known part", before.name));
        let part = new.profile.part(&before.name).ok_or_else(unknown)?;
        differing.extend((before.root != after.root).then(|| part.clone()));
    }
    Ok(differing)
}

/// Refuses two lists of parts that are not alike, name by name.
pub fn same_parts(old: &[PartManifest], new: &[PartManifest]) -> Result<(), EngineError> {
    let names = |parts: &[PartManifest]| -> Vec<String> {
        parts.iter().map(|part| part.name.clone()).collect()
    };
    let (old, new) = (names(old), names(new));
    let lacking = |here: &[String], there: &[String]| {
        let lacks = there.iter().filter(|name| !here.contains(name)).cloned();
        lacks.collect::<Vec<_>>().join(", ")
    };
    if old == new {
        return Ok(());
    }
    Err(EngineError::PartsDiffer(format!(
        "the first lacks {:?}, the second {:?}",
        lacking(&old, &new),
        lacking(&new, &old)
    )))
}

/// The changes of one part, from `old` to `new`, in key order. Blocks.
pub fn changes<'l>(
    part: &Part,
    layout: &'l Layout,
    old: &'l Snapshot,
    new: &'l Snapshot,
) -> Result<Diff<'l, &'l Reader, &'l Reader>, StoreError> {
    let root = |of: &'l Snapshot| of.part(&part.name).expect("a part of both").root;
    let (old_root, new_root) = (root(old), root(new));
    Diff::new(layout, (&old.reader, &old_root), (&new.reader, &new_root))
}

/// Calls `take` for every change from `old` to `new`, which have the same tables. Blocks.
pub fn for_each_change(
    old: &Snapshot,
    new: &Snapshot,
    take: &mut impl FnMut(&Part, &Table, &Layout, Change) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    for part in differing(old, new)? {
        let table = new.schema.table(&part.table).expect("a part's table is in its schema");
        let layout = Layout::from(table);
        for change in changes(&part, &layout, old, new)? {
            take(&part, table, &layout, change?)?;
        }
    }
    Ok(())
}

/// Some keys of a part whose rows are not all the same.
#[derive(Debug)]
pub struct Piece {
    pub part: Arc<Part>,
    range: Range,
}

/// What differs, cut into pieces that can be compared side by side; in the order of the parts and
/// their keys. Blocks.
pub fn pieces(old: &Snapshot, new: &Snapshot, count: usize) -> Result<Vec<Piece>, EngineError> {
    let mut pieces = Vec::new();
    for part in differing(old, new)? {
        let root = old.part(&part.name).expect("a part of both").root;
        let mut after = None;
        for key in cuts(&old.reader, &root, count)? {
            let range = Range { after: after.replace(key.clone()), upto: Some(key) };
            pieces.push(Piece { part: part.clone(), range });
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
        (old, new): (&'l Snapshot, &'l Snapshot),
    ) -> Result<Diff<'l, &'l Reader, &'l Reader>, StoreError> {
        changes(&self.part, layout, old, new)?.within(self.range.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ChunkId;

    fn part(name: &str) -> PartManifest {
        PartManifest {
            name: name.into(),
            dataset: "vpcs".into(),
            table: "vpc".into(),
            root: ChunkId([0; 32]),
            rows: 0,
            bytes: 0,
        }
    }

    #[test]
    fn part_lists_of_other_length_or_names_are_refused() {
        let parts = |names: &[&str]| names.iter().map(|name| part(name)).collect::<Vec<_>>();
        let all = parts(&["vrfs", "vpcs"]);
        same_parts(&all, &all).expect("alike");
        for other in [&["vrfs"][..], &["vrfs", "vpcs", "vpcs"], &["vrfs", "prefixes"], &[]] {
            for (old, new) in [(&all, &parts(other)), (&parts(other), &all)] {
                let refused = same_parts(old, new);
                assert!(matches!(refused, Err(EngineError::PartsDiffer(_))), "{other:?}");
            }
        }
    }
}
