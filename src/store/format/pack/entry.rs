//! An entry of a pack's table.

use crate::model::ChunkId;
use crate::store::format::frame::{Codec, Fault, HEADER, MAX_DEPTH, take};
use crate::store::format::pack::START;

/// Place of a chunk in a pack, and its form there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub id: ChunkId,
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

impl Entry {
    /// Bytes of the whole frame.
    #[must_use]
    pub fn frame_len(&self) -> u64 {
        HEADER as u64 + u64::from(self.stored_len)
    }

    /// Returns where the frame ends.
    #[must_use]
    pub fn end(&self) -> u64 {
        u64::from(self.offset) + self.frame_len()
    }

    /// Appends the entry as the footer and the index hold it.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(&u64::from(self.offset).to_le_bytes());
        out.extend_from_slice(&self.raw_len.to_le_bytes());
        out.extend_from_slice(&self.stored_len.to_le_bytes());
        out.extend_from_slice(&[self.codec as u8, self.depth]);
        out.extend_from_slice(&self.base.map_or([0; 32], |base| base.0));
    }

    /// Takes an entry of a pack whose frames end at `end` off the front.
    ///
    /// # Errors
    /// If it breaks the format or points outside of the frames.
    pub fn read(rest: &mut &[u8], end: u64) -> Result<Self, Fault> {
        let id = ChunkId(take(rest)?);
        let offset = u64::from_le_bytes(take(rest)?);
        let raw_len = u32::from_le_bytes(take(rest)?);
        let stored_len = u32::from_le_bytes(take(rest)?);
        let [codec, depth] = take(rest)?;
        let base = ChunkId(take(rest)?);
        let codec = Codec::numbered(codec).ok_or(Fault("an entry has an unknown codec"))?;
        let based = codec == Codec::Based;
        if base == id || (!based && base != ChunkId([0; 32])) {
            return Err(Fault("an entry has a base that cannot be"));
        }
        let base = based.then_some(base);
        if (depth > 0) != based || depth > MAX_DEPTH || !codec.fits(raw_len, stored_len) {
            return Err(Fault("an entry has lengths or a depth that cannot be"));
        }
        let offset = u32::try_from(offset).map_err(|_| Fault("an entry lies past 4 GiB"))?;
        let entry = Self { id, offset, raw_len, stored_len, codec, depth, base };
        if (offset as usize) < START.len() || entry.end() > end {
            return Err(Fault("an entry points outside of the frames"));
        }
        Ok(entry)
    }
}
