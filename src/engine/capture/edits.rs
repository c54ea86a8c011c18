//! What is to be changed in the trees of a table so that they hold its live rows. Blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::EngineError;
use crate::engine::capture::scan::Sinks;
use crate::model::{Part, PartManifest, Table};
use crate::store::{Reader, StoreError};
use crate::tree::split::Splitter;
use crate::tree::{BuildError, ChunkKind, Key, Layout, Missing, Row, Unlike, patch, present, walk};

/// The rows of each part of a table that were written since.
pub type Written = Vec<BTreeMap<Key, Row>>;

/// What was read of a table.
#[derive(Debug)]
pub struct TableChanges {
    pub table: Table,
    /// The parts that its rows belong to.
    pub parts: Vec<Arc<Part>>,
    /// All rows that it has.
    pub rows: u64,
    /// Those that were written since the base, for each part.
    pub written: Written,
}

/// The changes of each tree of a table.
#[derive(Debug)]
pub struct Edits {
    pub table: Table,
    layout: Layout,
    parts: Vec<PartEdits>,
    /// Rows of the trees that the table has no more, and that are not among the changes yet.
    pub lacking: u64,
}

#[derive(Debug)]
struct PartEdits {
    part: Arc<Part>,
    tree: PartManifest,
    changes: BTreeMap<Key, Option<Row>>,
    /// Keys that the tree does not have yet.
    new: BTreeSet<Key>,
}

/// The trees of a table cannot be changed into those of its live rows.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A chunk cannot be read.
    #[error("its rows in the backup before cannot be read")]
    Unreadable(#[from] StoreError),
    /// Rows that are not among those that were written since are not those of the trees.
    #[error("the rows that it has are not those of the backup before and what was written since")]
    Contradiction,
}

impl From<Unlike> for Unusable {
    fn from(_: Unlike) -> Self {
        Self::Contradiction
    }
}

impl Edits {
    /// Compares the rows that were written with the trees that the table had then.
    pub fn new(
        reader: &Reader,
        trees: Vec<PartManifest>,
        TableChanges { table, parts, rows, written }: TableChanges,
    ) -> Result<Self, Unusable> {
        let layout = Layout::from(&table);
        let before: u64 = trees.iter().map(|tree| tree.rows).sum();
        let edits =
            |(part, tree)| PartEdits { part, tree, changes: BTreeMap::new(), new: BTreeSet::new() };
        let mut parts: Vec<_> = parts.into_iter().zip(trees).map(edits).collect();
        let mut added = 0;
        for (place, rows) in written.into_iter().enumerate() {
            let keys: Vec<&Key> = rows.keys().collect();
            let there = parts[place].has(reader, &layout, &keys)?;
            let new: BTreeSet<Key> = keys
                .iter()
                .zip(there)
                .filter(|(_, there)| !there)
                .map(|(&key, _)| key.clone())
                .collect();
            // A row that is written may leave one part for another.
            let mut moved = BTreeSet::new();
            for from in (0..parts.len()).filter(|from| *from != place) {
                let keys: Vec<&Key> = new.iter().collect();
                let there = parts[from].has(reader, &layout, &keys)?;
                for (&key, _) in keys.iter().zip(there).filter(|(_, there)| *there) {
                    parts[from].changes.insert(key.clone(), None);
                    moved.insert(key.clone());
                }
            }
            added += (new.len() - moved.len()) as u64;
            parts[place].new.extend(new);
            parts[place].changes.extend(rows.into_iter().map(|(key, row)| (key, Some(row))));
        }
        let lacking = (before + added).checked_sub(rows).ok_or(Unusable::Contradiction)?;
        Ok(Self { table, layout, parts, lacking })
    }

    /// Removes these rows, which the table is known not to have, by part. Does so only if they are all that it
    /// lacks.
    pub fn remove_known(
        &mut self,
        reader: &Reader,
        gone: &BTreeMap<String, BTreeSet<Key>>,
    ) -> Result<(), Unusable> {
        let mut found = Vec::new();
        for (place, edits) in self.parts.iter().enumerate() {
            let Some(gone) = gone.get(&edits.part.name) else { continue };
            let keys: Vec<&Key> =
                gone.iter().filter(|key| !edits.changes.contains_key(*key)).collect();
            let there = edits.has(reader, &self.layout, &keys)?;
            let there = keys.iter().zip(there).filter(|(_, there)| *there);
            found.extend(there.map(|(key, _)| (place, (*key).clone())));
        }
        if found.len() as u64 == self.lacking {
            for (place, key) in found {
                self.parts[place].changes.insert(key, None);
            }
            self.lacking = 0;
        }
        Ok(())
    }

    /// Takes the keys of all live rows, to find those that it lacks.
    pub fn missing(&self, reader: &Reader) -> Result<LiveKeys, Unusable> {
        let part = |edits: &PartEdits| {
            Ok(PartKeys {
                missing: Missing::new(reader, &edits.tree.root)?,
                new: edits.new.clone(),
            })
        };
        let parts = self.parts.iter().map(part).collect::<Result<_, StoreError>>()?;
        Ok(LiveKeys { layout: self.layout.clone(), parts })
    }

    /// Removes the rows whose keys did not come.
    pub fn remove_missing(&mut self, reader: &Reader, keys: LiveKeys) -> Result<(), Unusable> {
        let mut found = 0;
        for (edits, keys) in self.parts.iter_mut().zip(keys.parts) {
            for key in keys.missing.find(reader, &self.layout)?? {
                // One that left for another part did not come, either.
                found += u64::from(edits.changes.insert(key, None).is_none());
            }
        }
        if found != self.lacking {
            return Err(Unusable::Contradiction);
        }
        self.lacking = 0;
        Ok(())
    }

    /// Whether each chunk that stays is one that a new backup may rely on.
    pub fn refuse_unreliable(&self, reader: &Reader, sinks: &impl Sinks) -> Result<(), Unusable> {
        for PartEdits { tree, .. } in &self.parts {
            let mut lost = None;
            walk(reader, &tree.root, &mut |id, kind| {
                if !sinks.has(id) {
                    lost = Some(*id);
                }
                lost.is_none() || matches!(kind, ChunkKind::Leaf { .. })
            })?;
            if let Some(lost) = lost {
                return Err(StoreError::ChunkMissing(lost).into());
            }
        }
        Ok(())
    }

    /// The trees with the changes.
    pub fn apply<S: Sinks>(
        self,
        reader: &Reader,
        splitter: Splitter,
        sinks: &S,
    ) -> Result<Result<Vec<PartManifest>, Unusable>, EngineError> {
        let mut made = Vec::with_capacity(self.parts.len());
        for PartEdits { part, tree, changes, .. } in self.parts {
            if changes.is_empty() {
                made.push(tree);
                continue;
            }
            let mut sink = sinks.sink(&part);
            let changed = patch((&self.layout, splitter), (reader, &tree.root), changes, &mut sink);
            match changed {
                Ok(root) => {
                    let (root, rows, bytes) = (root.id, root.rows, root.bytes);
                    made.push(PartManifest { root, rows, bytes, ..tree });
                }
                Err(BuildError::Source(error)) => return Ok(Err(error.into())),
                Err(error) => return Err(EngineError::building(&part.name, error)),
            }
        }
        Ok(Ok(made))
    }
}

impl PartEdits {
    fn has(
        &self,
        reader: &Reader,
        layout: &Layout,
        keys: &[&Key],
    ) -> Result<Vec<bool>, StoreError> {
        present(reader, layout, &self.tree.root, keys)
    }
}

/// The keys of the live rows of a table, as they come.
#[derive(Debug, Clone)]
pub struct LiveKeys {
    layout: Layout,
    parts: Vec<PartKeys>,
}

#[derive(Debug, Clone)]
struct PartKeys {
    missing: Missing,
    new: BTreeSet<Key>,
}

impl LiveKeys {
    /// Adds those that came elsewhere.
    pub fn add(&mut self, others: Self) -> Result<(), Unusable> {
        for (part, other) in self.parts.iter_mut().zip(others.parts) {
            part.missing.add(other.missing)?;
        }
        Ok(())
    }

    /// Takes the key of a row of this part: COPY text of the key's columns.
    pub fn came(&mut self, part: usize, columns: &[u8]) -> Result<(), Unusable> {
        let key = self.layout.key_of(columns).map_err(|_| Unusable::Contradiction)?;
        let PartKeys { missing, new } = &mut self.parts[part];
        if !new.contains(&key) {
            missing.came(&key)?;
        }
        Ok(())
    }
}
