//! A pack in the making.

use bytes::Bytes;

use crate::model::{ChunkId, Hash, PackId};
use crate::store::format::encode::Encoded;
use crate::store::format::frame::Codec;
use crate::store::format::pack::{END, Entry, NONCE, NONCE_TAG, START};

/// Collects the frames of a pack in memory.
#[derive(Debug)]
pub struct PackBuilder {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

/// A whole pack, ready to be stored.
#[derive(Debug, Clone)]
pub struct Pack {
    /// Its name.
    pub id: PackId,
    /// The file.
    pub bytes: Bytes,
    /// Its table.
    pub entries: Vec<Entry>,
}

impl PackBuilder {
    /// An empty pack with room for so many bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.extend_from_slice(START);
        Self { bytes, entries: Vec::new() }
    }

    /// Adds a chunk.
    pub fn push(&mut self, chunk: &Encoded) {
        self.entries.push(Entry {
            id: chunk.id,
            offset: self.offset(),
            raw_len: chunk.raw_len,
            stored_len: chunk.stored_len(),
            codec: chunk.codec,
            depth: chunk.depth,
            base: chunk.base,
        });
        chunk.write(&mut self.bytes);
    }

    /// Adds a frame of another pack as it is.
    pub fn push_frame(&mut self, entry: &Entry, frame: &[u8]) {
        self.entries.push(Entry { offset: self.offset(), ..*entry });
        self.bytes.extend_from_slice(frame);
    }

    fn offset(&self) -> u32 {
        u32::try_from(self.bytes.len()).expect("a pack ends long before 4 GiB")
    }

    /// Bytes so far, without the footer.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns whether it has no chunk.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a chunk of random bytes and the footer, and names the pack.
    #[must_use]
    pub fn finish(self) -> Pack {
        self.finish_with(uuid::Uuid::new_v4().into_bytes())
    }

    /// As [`Self::finish`], with these bytes for random ones.
    pub(in crate::store) fn finish_with(mut self, random: [u8; NONCE - 1]) -> Pack {
        let chunk = [&[NONCE_TAG][..], &random].concat();
        let id = ChunkId::of(&chunk);
        let raw_len = u32::try_from(NONCE).expect("small");
        let payload = chunk;
        self.push(&Encoded { id, codec: Codec::Raw, raw_len, depth: 0, base: None, payload });
        let table = self.bytes.len();
        for entry in &self.entries {
            entry.write(&mut self.bytes);
        }
        let count = u32::try_from(self.entries.len()).expect("a pack ends long before 4 GiB");
        self.bytes.extend_from_slice(&count.to_le_bytes());
        let checksum = Hash::of(&self.bytes[table..]);
        self.bytes.extend_from_slice(&checksum.0);
        self.bytes.extend_from_slice(END);
        Pack { id: PackId::of(&self.bytes), bytes: self.bytes.into(), entries: self.entries }
    }
}
