//! What a store would hold of some trees: each chunk once, compressed as the setting says.

use std::collections::HashMap;
use std::io;

use anyhow::Result;
use bytes::Bytes;
use ipam_rewind::model::ChunkId;
use ipam_rewind::tree::{ChunkPosition, ChunkSink, ChunkSource, Malformed, chunk_at};
use zstd::bulk::Compressor;

/// Bytes of a chunk beside its payload: the frame's head, and its entry in the footer and the index.
const HEAD: usize = 41 + 2 * 82;

/// The chunks, and what they take.
pub struct Kept {
    chunks: HashMap<ChunkId, Bytes>,
    zstd: Compressor<'static>,
    level: i32,
    against: bool,
    /// The root of the tree that the next one is a change of.
    pub earlier: Option<ChunkId>,
    pub bytes: usize,
    pub node_bytes: usize,
    pub count: usize,
    /// Payload bytes of the leaves' groups of the tree that is being made.
    pub groups: Vec<usize>,
}

impl Kept {
    pub fn new(level: i32, dictionary: &[u8], against: bool) -> Result<Self> {
        Ok(Self {
            chunks: HashMap::new(),
            zstd: Compressor::with_dictionary(level, dictionary)?,
            level,
            against,
            earlier: None,
            bytes: 0,
            node_bytes: 0,
            count: 0,
            groups: Vec::new(),
        })
    }

    fn stored(&mut self, place: &ChunkPosition<'_>, raw: &[u8]) -> io::Result<usize> {
        let alone = self.zstd.compress(raw)?.len().min(raw.len());
        let base = match (&self.earlier, self.against) {
            (Some(root), true) => chunk_at(&*self, root, place)
                .map_err(io::Error::other)?
                .map(|id| self.chunks[&id].clone()),
            _ => None,
        };
        let Some(base) = base else { return Ok(alone) };
        let mut zstd = Compressor::new(self.level)?;
        zstd.context_mut()
            .ref_prefix(&base)
            .map_err(|code| io::Error::other(zstd::zstd_safe::get_error_name(code)))?;
        let changed = 32 + zstd.compress(raw)?.len();
        Ok(if changed * 4 > alone * 3 { alone } else { changed })
    }
}

impl ChunkSource for Kept {
    type Error = Malformed;

    fn chunk(&self, id: &ChunkId) -> Result<Bytes, Malformed> {
        Ok(self.chunks[id].clone())
    }
}

impl ChunkSink for Kept {
    type Error = io::Error;

    fn put(&mut self, place: &ChunkPosition<'_>, id: ChunkId, bytes: Vec<u8>) -> io::Result<()> {
        if self.chunks.contains_key(&id) {
            return Ok(());
        }
        let stored = HEAD + self.stored(place, &bytes)?;
        self.bytes += stored;
        self.count += 1;
        if place.level > 0 {
            self.node_bytes += stored;
        } else {
            self.groups.resize(self.groups.len().max(place.group + 1), 0);
            self.groups[place.group] += stored - HEAD;
        }
        self.chunks.insert(id, bytes.into());
        Ok(())
    }
}
