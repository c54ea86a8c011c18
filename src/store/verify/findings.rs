//! What a check has learned so far: a few numbers for each chunk, and what is wrong.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;

use bytes::Bytes;

use crate::model::{BackupId, ChunkId, Dataset, PackId};
use crate::store::{Reader, StoreError};
use crate::tree::{LeafGroup, Node};

/// Why chunks are not right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Something in this pack is wrong.
    Pack(PackId),
    /// They are in no pack; an index object may name the one that is lost.
    Lost(Option<PackId>),
    /// The chunk is what was written, but contradicts what refers to it.
    Chunk(ChunkId),
}

/// What a leaf's group holds: rows, columns, and bytes of their fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    pub rows: u64,
    pub columns: usize,
    pub bytes: u64,
}

/// Why a chunk that a tree refers to is not right.
#[derive(Debug, Clone)]
pub struct Bad {
    pub cause: Cause,
    /// The chunk that is to blame: this one, or a base of it.
    pub root: ChunkId,
    pub what: String,
}

/// What is wrong with a pack, whether or not backups need it.
#[derive(Debug, Default)]
pub struct BadPack {
    /// What is wrong with the file itself.
    pub file: Vec<String>,
    /// Frames that do not give their chunks, and why.
    pub frames: BTreeMap<ChunkId, String>,
}

impl BadPack {
    /// Whether nothing is wrong with it.
    pub fn is_empty(&self) -> bool {
        self.file.is_empty() && self.frames.is_empty()
    }
}

/// Whom something affects.
pub type AffectedDatasets = BTreeSet<(BackupId, Dataset)>;

/// All that is known.
pub struct Findings {
    pub reader: Reader,
    /// A read that fails for good is damage: so it is on a disk, but not over a network.
    pub tolerant: bool,
    /// Leaves' groups; `None` until they were read.
    pub leaves: HashMap<ChunkId, Option<Leaf>>,
    pub nodes: HashMap<ChunkId, NodeSums>,
    pub bad: BTreeMap<ChunkId, Bad>,
    pub affects: BTreeMap<ChunkId, AffectedDatasets>,
    pub packs: BTreeMap<PackId, BadPack>,
    /// Chunks that are in no pack, each with the pack that an index object names for it.
    pub lost: BTreeMap<ChunkId, PackId>,
    /// What a manifest says and its trees do not.
    pub contradictions: Vec<(String, AffectedDatasets)>,
    /// What is wrong with index objects, and folders that cannot be listed.
    pub indexes: Vec<String>,
}

/// What a node counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSums {
    pub level: u8,
    pub children: usize,
    pub rows: u64,
    pub bytes: u64,
    pub last_key: Vec<u8>,
}

impl From<&Node> for NodeSums {
    fn from(node: &Node) -> Self {
        let last_key = node.entries.last().map(|entry| entry.last_key.clone()).unwrap_or_default();
        Self {
            level: node.level,
            children: node.entries.len(),
            rows: node.rows(),
            bytes: node.bytes(),
            last_key,
        }
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
            affects: BTreeMap::new(),
            packs: BTreeMap::new(),
            lost: BTreeMap::new(),
            contradictions: Vec::new(),
            indexes: Vec::new(),
        }
    }

    /// Takes an error for damage of this chunk, if that is what it is.
    pub fn blame(&mut self, id: ChunkId, error: StoreError) -> Result<(), StoreError> {
        let bad = match error {
            StoreError::ChunkDamaged { id: root, pack, what } => {
                Bad { cause: Cause::Pack(pack), root, what }
            }
            StoreError::ChunkMissing(root) => {
                Bad { cause: Cause::Lost(None), root, what: "it is in no pack".into() }
            }
            StoreError::Malformed(malformed) => {
                let root = malformed.id;
                Bad { cause: Cause::Chunk(root), root, what: malformed.what.into() }
            }
            error if is_damage(&error, self.tolerant) => self.unreadable(id, &error),
            other => return Err(other),
        };
        self.bad.entry(id).or_insert(bad);
        Ok(())
    }

    /// A file that cannot be read: that of the chunk itself, or that of one of its bases.
    fn unreadable(&self, id: ChunkId, error: &StoreError) -> Bad {
        let index = self.reader.index();
        let told = error.to_string();
        let chain = std::iter::successors(Some(id), |id| index.base(id).copied());
        let packs = chain.take(10).filter_map(|id| Some((id, index.pack(&index.get(&id)?).id)));
        let found = packs.into_iter().find(|(_, pack)| told.contains(&pack.to_string()));
        let (root, cause) =
            found.map_or((id, Cause::Lost(None)), |(root, pack)| (root, Cause::Pack(pack)));
        Bad { cause, root, what: format!("it cannot be read: {}", source(error)) }
    }

    /// Whether chunks are missing.
    pub fn lacks_chunks(&self) -> bool {
        self.bad.values().any(|bad| bad.cause == Cause::Lost(None))
    }

    /// Names the packs of missing chunks, as far as index objects know them.
    pub fn name_lost(&mut self) {
        let index = self.reader.index();
        let missing = self.bad.values_mut().filter(|bad| bad.cause == Cause::Lost(None));
        for bad in missing {
            let Some(pack) = self.lost.get(&bad.root) else { continue };
            // One that is there has lost a part of itself.
            let there = index.packs().iter().any(|other| other.id == *pack);
            bad.cause = if there { Cause::Pack(*pack) } else { Cause::Lost(Some(*pack)) };
        }
    }

    /// Notes that a chunk holds something else than what refers to it says.
    pub fn contradict(&mut self, id: ChunkId, what: &str) {
        let bad = Bad { cause: Cause::Chunk(id), root: id, what: what.into() };
        self.bad.entry(id).or_insert(bad);
    }

    /// The packs with which something is wrong, and the copies in them that must not be relied on.
    pub fn set_aside(&self) -> BTreeMap<PackId, BTreeSet<ChunkId>> {
        let packs = self.packs.iter();
        let mut aside: BTreeMap<PackId, BTreeSet<ChunkId>> =
            packs.map(|(id, pack)| (*id, pack.frames.keys().copied().collect())).collect();
        for bad in self.bad.values() {
            if let Cause::Pack(pack) = bad.cause {
                aside.entry(pack).or_default().insert(bad.root);
            }
        }
        aside
    }
}

/// Whether an error says that something is not there, or that this one file cannot be read.
pub fn is_damage(error: &StoreError, tolerant: bool) -> bool {
    error.is_not_found() || (tolerant && error.is_about_one_file())
}

/// Where an error comes from, in its own words.
pub fn source(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), source)
}

/// What a leaf's group holds.
pub fn leaf(id: &ChunkId, bytes: &Bytes) -> Result<Leaf, StoreError> {
    let group = LeafGroup::parse(id, bytes)?;
    Ok(Leaf { rows: group.rows(), columns: group.columns(), bytes: group.bytes() })
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn file_that_cannot_be_read_is_damaged_and_want_of_memory_is_not_damage() {
        let failed = |errno: Errno| {
            let source = std::io::Error::from_raw_os_error(errno as i32);
            let source = object_store::Error::Generic { store: "folder", source: source.into() };
            StoreError::Object { doing: "reading a pack".into(), source }
        };
        for lasting in [Errno::EIO, Errno::EACCES] {
            assert!(is_damage(&failed(lasting), true), "{lasting}");
            assert!(!is_damage(&failed(lasting), false), "{lasting} over a network");
        }
        for passing in [Errno::EMFILE, Errno::ENOMEM] {
            assert!(!is_damage(&failed(passing), true), "{passing}");
        }
    }
}
