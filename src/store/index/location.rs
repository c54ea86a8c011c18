//! The place of a chunk, and the pack that it is in.

use crate::model::{ChunkId, PackId};
use crate::store::format::frame::{Codec, HEADER};
use crate::store::format::index_file::PackEntries;
use crate::store::format::pack::NONCE;

/// A chunk's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLocation {
    /// The pack, by its place in [`Index::packs`](super::lookup::Index::packs).
    pub pack: u32,
    /// Start of the frame's header.
    pub offset: u32,
    /// The chunk's own length.
    pub raw_len: u32,
    /// The payload's length.
    pub stored_len: u32,
    /// Codec of the payload.
    pub codec: Codec,
    /// Number of bases behind it.
    pub depth: u8,
    /// The base chunk; there if the codec is [`Codec::Based`].
    pub base: Option<ChunkId>,
}

impl ChunkLocation {
    /// The bytes of the pack that hold the frame.
    #[must_use]
    pub fn range(&self) -> std::ops::Range<u64> {
        let start = u64::from(self.offset);
        start..start + self.frame_len()
    }

    /// Returns whether it may be the chunk that makes its pack's name unique, which nothing needs.
    #[must_use]
    pub fn is_like_nonce(&self) -> bool {
        self.codec == Codec::Raw && self.raw_len as usize == NONCE
    }

    /// Bytes of the whole frame.
    #[must_use]
    pub fn frame_len(&self) -> u64 {
        HEADER as u64 + u64::from(self.stored_len)
    }
}

/// A pack that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackInfo {
    /// Its name.
    pub id: PackId,
    /// Bytes of its file.
    pub size: u64,
    /// A sweep found that nothing reaches it; new backups must not rely on it.
    pub marked: bool,
    /// Source of its table.
    pub source: Source,
    /// A check found something wrong with it.
    pub noted: bool,
}

impl PackInfo {
    /// Returns whether all its frames are known.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.source != Source::Frames
    }

    /// Returns whether the pack itself says what is in it.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.source != Source::IndexObject
    }
}

/// Source of the table of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// An index object, which may be wrong.
    IndexObject,
    Footer,
    /// Its frames, since the footer is damaged. Some may not have been found.
    Frames,
}

/// Table of one pack, and its source.
#[derive(Debug)]
pub(in crate::store) struct PackRead {
    pub entries: PackEntries,
    pub source: Source,
}
