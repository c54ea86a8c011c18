//! What a check has learned so far: a few numbers for each chunk, and what is wrong.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::io::ErrorKind;

use bytes::Bytes;
use nix::errno::Errno;

use super::Damage;
use crate::model::{BackupId, ChunkId, Dataset, PackId};
use crate::store::{Reader, StoreError};
use crate::tree::{LeafGroup, Node};

const FOUND_BEFORE: &str =
    "it was found damaged before (a verification of the whole store looks at it again)";

/// What a leaf's group holds: rows, and bytes of their fields.
pub type Leaf = (u64, u64);

/// A chunk that is not right.
#[derive(Debug, Clone)]
pub struct Bad {
    pub pack: Option<PackId>,
    pub what: String,
    /// Writing the chunk again would heal it.
    pub curable: bool,
}

/// All that is known.
pub struct Findings {
    pub reader: Reader,
    /// A read that fails for good is damage: so it is on a disk, but not over a network.
    pub tolerant: bool,
    /// Leaves' groups; `None` until they were read.
    pub leaves: HashMap<ChunkId, Option<Leaf>>,
    pub nodes: HashMap<ChunkId, NodeSums>,
    pub bad: BTreeMap<ChunkId, Bad>,
    /// Frames that do not give their chunk, and why; found by reading packs.
    pub bad_frames: BTreeMap<(PackId, ChunkId), String>,
    /// Damage that is not that of a chunk.
    pub other: Vec<Damage>,
    pub hurts: BTreeMap<ChunkId, BTreeSet<(BackupId, Dataset)>>,
}

/// What a node counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSums {
    pub level: u8,
    pub rows: u64,
    pub bytes: u64,
    pub last_key: Vec<u8>,
}

impl From<&Node> for NodeSums {
    fn from(node: &Node) -> Self {
        let last_key = node.entries.last().map(|entry| entry.last_key.clone()).unwrap_or_default();
        Self { level: node.level, rows: node.rows(), bytes: node.bytes(), last_key }
    }
}

impl Findings {
    pub fn new(reader: Reader, tolerant: bool) -> Self {
        Self {
            reader,
            tolerant,
            leaves: HashMap::new(),
            nodes: HashMap::new(),
            bad: BTreeMap::new(),
            bad_frames: BTreeMap::new(),
            other: Vec::new(),
            hurts: BTreeMap::new(),
        }
    }

    /// Takes an error for damage of this chunk, if that is what it is.
    pub fn blame(&mut self, id: ChunkId, error: StoreError) -> Result<(), StoreError> {
        let index = self.reader.index();
        let pack = index.get(&id).map(|spot| index.pack(&spot).id);
        let bad = match error {
            StoreError::ChunkDamaged { id: of, pack, what } if of == id => {
                Bad { pack: Some(pack), what, curable: true }
            }
            StoreError::ChunkMissing(of) if of == id => {
                let aside = index.set_aside().find(|(aside, _)| **aside == id);
                let pack = aside.map(|(_, spot)| index.pack(&spot).id);
                let what = pack.map_or("it is in no pack", |_| FOUND_BEFORE);
                Bad { pack, what: what.into(), curable: true }
            }
            // A base of it.
            StoreError::ChunkDamaged { .. } | StoreError::ChunkMissing(_) => Bad {
                pack,
                what: format!("it cannot be read without its base: {error}"),
                curable: true,
            },
            StoreError::Malformed(malformed) => {
                Bad { pack, what: malformed.what.into(), curable: false }
            }
            error if error.is_not_found() || (self.tolerant && is_lasting(&error)) => {
                Bad { pack, what: format!("it cannot be read: {}", root(&error)), curable: true }
            }
            other => return Err(other),
        };
        self.bad.entry(id).or_insert(bad);
        Ok(())
    }

    /// Notes that a chunk holds something else than what refers to it says.
    pub fn contradict(&mut self, id: ChunkId, what: &str) {
        let index = self.reader.index();
        let pack = index.get(&id).map(|spot| index.pack(&spot).id);
        self.bad.entry(id).or_insert(Bad { pack, what: what.into(), curable: false });
    }

    /// The copies that must not be relied on.
    pub fn set_aside(&self) -> impl Iterator<Item = (PackId, ChunkId)> {
        let curable = self.bad.iter().filter(|(_, bad)| bad.curable);
        let chosen = curable.filter_map(|(id, bad)| Some((bad.pack?, *id)));
        chosen.chain(self.bad_frames.keys().copied())
    }

    pub fn into_damage(self) -> Vec<Damage> {
        let hurt = |chunk| self.hurts.get(chunk).cloned().unwrap_or_default();
        let frames = self.bad_frames.iter().map(|((pack, chunk), what)| Damage {
            pack: Some(*pack),
            chunk: Some(*chunk),
            what: what.clone(),
            hurts: hurt(chunk),
        });
        let named: BTreeSet<_> = self.bad_frames.keys().map(|(_, chunk)| *chunk).collect();
        let others = self.bad.iter().filter(|(chunk, _)| !named.contains(*chunk));
        let chunks = others.map(|(chunk, bad)| Damage {
            pack: bad.pack,
            chunk: Some(*chunk),
            what: bad.what.clone(),
            hurts: hurt(chunk),
        });
        self.other.iter().cloned().chain(frames).chain(chunks).collect()
    }
}

/// Whether a read that failed will fail again: the disk is to blame, and not a want of permission, of
/// file handles or of memory.
pub fn is_lasting(error: &StoreError) -> bool {
    matches!(error, StoreError::Object { .. })
        && error.system().is_none_or(|system| {
            let broken = [Errno::EIO, Errno::ENOENT].map(|errno| Some(errno as i32));
            system.kind() == ErrorKind::UnexpectedEof || broken.contains(&system.raw_os_error())
        })
}

/// Where an error comes from, in its own words.
pub fn root(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), root)
}

/// What a leaf's group holds.
pub fn leaf(id: &ChunkId, bytes: &Bytes) -> Result<Leaf, StoreError> {
    let group = LeafGroup::parse(id, bytes)?;
    Ok((group.rows(), group.bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_second_try_may_read_is_no_damage() {
        let failed = |errno: Errno| {
            let source = std::io::Error::from_raw_os_error(errno as i32);
            let source = object_store::Error::Generic { store: "folder", source: source.into() };
            is_lasting(&StoreError::Object { doing: "reading a pack".into(), source })
        };
        assert!(failed(Errno::EIO));
        for passing in [Errno::EACCES, Errno::EMFILE, Errno::ENOMEM, Errno::ESTALE] {
            assert!(!failed(passing), "{passing}");
        }
    }
}
