//! A pack: many frames in one file, and a footer that says where each lies.
//!
//! ```text
//! "IPRWPK01"  frames…  table  entry count u32  SHA-256 of table and count  "IPRWEND1"
//! ```
//!
//! The file's name is the SHA-256 of all of it. Its last frame is a chunk of random bytes that no
//! tree refers to: so no two packs have the same name, and a request to remove one, however late it
//! arrives, never meets another with the same chunks. An entry of the table is
//! `id 32 | offset u64 | raw length u32 | stored length u32 | codec u8 | depth u8 | base id 32`
//! (zeros without a base); the offset is that of the frame's header. If the footer is damaged, the
//! frames are still found from the front: they end where a header has no known codec, as the table
//! never looks like one (its first offset, always 8, stands where a header has its codec). Behind a
//! header whose lengths are damaged they are found again by their content.

use bytes::Bytes;

use crate::model::{ChunkId, Hash, PackId};
use crate::store::format::encode::Encoded;
use crate::store::format::frame::{Codec, Fault, Frame, HEADER, MAX_DEPTH, take};

const START: &[u8; 8] = b"IPRWPK01";
/// The first byte of the chunk that makes a pack's name unique.
const NONCE_TAG: u8 = b'U';
/// Bytes of that chunk.
pub const NONCE: usize = 17;
const END: &[u8; 8] = b"IPRWEND1";
/// So many times the bytes of a pack are at most tried to find frames again.
const EFFORT: usize = 16;
/// Bytes of a table entry.
pub const ENTRY: usize = 82;
/// Bytes after the table.
pub const TAIL: usize = 4 + 32 + 8;

/// Where in a pack a chunk lies, and how it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub id: ChunkId,
    /// Where the frame's header starts.
    pub offset: u32,
    /// The chunk's own length.
    pub raw_len: u32,
    /// The payload's length.
    pub stored_len: u32,
    /// How it is stored.
    pub codec: Codec,
    /// How many bases stand behind it.
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

    /// Where the frame ends.
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
    /// What is in it.
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

    /// Whether it has no chunk.
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

/// What the end of a pack tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Footer {
    /// All entries.
    Whole(Vec<Entry>),
    /// The footer has this many bytes: more than were given.
    Longer(u64),
}

/// Reads the footer of a pack of `size` bytes from its last bytes.
///
/// # Errors
/// If the bytes are not the end of a pack.
pub fn parse_footer(tail: &[u8], size: u64) -> Result<Footer, Fault> {
    let (rest, end) = tail.split_last_chunk::<8>().ok_or(Fault("the pack is too short"))?;
    let (rest, checksum) = rest.split_last_chunk::<32>().ok_or(Fault("the pack is too short"))?;
    let (_, count) = rest.split_last_chunk::<4>().ok_or(Fault("the pack is too short"))?;
    if end != END {
        return Err(Fault("the pack does not end as one"));
    }
    let count = u32::from_le_bytes(*count) as usize;
    let length = count * ENTRY + TAIL;
    let frames_end = size.checked_sub(length as u64).filter(|end| *end >= START.len() as u64);
    let frames_end = frames_end.ok_or(Fault("the footer is longer than the pack"))?;
    let Some(start) = (rest.len() + 40).checked_sub(length) else {
        return Ok(Footer::Longer(length as u64));
    };
    if Hash::of(&rest[start..]).0 != *checksum {
        return Err(Fault("the footer's checksum is wrong"));
    }
    let mut table = &rest[start..];
    let entries =
        (0..count).map(|_| Entry::read(&mut table, frames_end)).collect::<Result<_, _>>()?;
    Ok(Footer::Whole(entries))
}

/// Whether these last bytes of a pack are those after a table of just these entries.
#[must_use]
pub fn is_tail_of(tail: &[u8], entries: &[Entry]) -> bool {
    let mut table = Vec::with_capacity(entries.len() * ENTRY + 4);
    for entry in entries {
        entry.write(&mut table);
    }
    let Ok(count) = u32::try_from(entries.len()) else { return false };
    table.extend_from_slice(&count.to_le_bytes());
    tail == [&count.to_le_bytes()[..], &Hash::of(&table).0, END].concat()
}

/// The frames that are found from the front, for a pack whose footer is damaged. A frame against a
/// base tells no depth, so it gets the greatest, and nothing more is stored against it.
#[must_use]
pub fn scan(pack: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut at = START.len();
    let mut effort = pack.len().saturating_mul(EFFORT);
    loop {
        match frame_at(pack, at) {
            Some(entry) => {
                at += HEADER + entry.stored_len as usize;
                entries.push(entry);
            }
            // Its header is damaged, or the frames end here.
            None => match find_again(pack, at + 1, &mut effort) {
                Some(next) => at = next,
                None => return entries,
            },
        }
    }
}

fn frame_at(pack: &[u8], at: usize) -> Option<Entry> {
    let offset = u32::try_from(at).ok()?;
    let (frame, _) = Frame::parse(pack.get(at..)?).ok()?;
    // A stretch of zeros looks like empty chunks.
    if frame.raw_len == 0 && !frame.is_proven() {
        return None;
    }
    let depth = if frame.base.is_some() { MAX_DEPTH } else { 0 };
    let Frame { id, codec, raw_len, stored_len, base, .. } = frame;
    Some(Entry { id, offset, raw_len, stored_len, codec, depth, base })
}

/// Where the next frame starts that proves itself; `effort` bounds the bytes that are tried for it.
fn find_again(pack: &[u8], from: usize, effort: &mut usize) -> Option<usize> {
    for at in from..pack.len().saturating_sub(HEADER) {
        let Ok((frame, _)) = Frame::parse(&pack[at..]) else { continue };
        *effort = effort.checked_sub(frame.raw_len as usize)?;
        if frame.is_proven() {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::format::encode::{Base, Encoder};
    use proptest::prelude::*;

    fn pack(chunks: &[Vec<u8>]) -> Pack {
        let mut builder = PackBuilder::with_capacity(0);
        for chunk in chunks {
            let encoded = Encoder::default().encode(ChunkId::of(chunk), chunk, None);
            builder.push(&encoded.expect("small"));
        }
        builder.finish()
    }

    fn footer(bytes: &[u8]) -> Result<Footer, Fault> {
        parse_footer(bytes, bytes.len() as u64)
    }

    proptest! {
        #[test]
        fn footer_and_frames_tell_the_same_and_give_back_what_went_in(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..20),
        ) {
            let pack = pack(&chunks);
            prop_assert_eq!(scan(&pack.bytes), pack.entries.clone());
            prop_assert_eq!(footer(&pack.bytes), Ok(Footer::Whole(pack.entries.clone())));
            prop_assert_eq!(pack.entries.len(), chunks.len() + 1);
            for (entry, chunk) in pack.entries.iter().zip(&chunks) {
                let (frame, _) = Frame::parse(&pack.bytes[entry.offset as usize..]).expect("a frame");
                prop_assert_eq!(&frame.decode(None).expect("right"), chunk);
            }
        }

        #[test]
        fn a_footer_can_be_read_from_the_end_alone(chunks in 1_usize..200, given in 44_usize..9000) {
            let chunks: Vec<_> = (0..chunks).map(|n| n.to_le_bytes().to_vec()).collect();
            let pack = pack(&chunks);
            let size = pack.bytes.len();
            let length = pack.entries.len() * ENTRY + TAIL;
            prop_assert!(is_tail_of(&pack.bytes[size - TAIL..], &pack.entries));
            prop_assert!(!is_tail_of(&pack.bytes[size - TAIL..], &pack.entries[1..]));
            let read = parse_footer(&pack.bytes[size - given.min(size)..], size as u64);
            let expected =
                if given >= length { Footer::Whole(pack.entries) } else { Footer::Longer(length as u64) };
            prop_assert_eq!(read, Ok(expected));
        }

        #[test]
        fn no_bytes_make_the_parsers_panic(bytes: Vec<u8>, size: u64) {
            let _ = parse_footer(&bytes, size);
            let _ = scan(&bytes);
            let _ = parse_footer(&[&bytes[..], END].concat(), size);
        }

        #[test]
        fn a_flipped_bit_in_a_footer_is_found(at in 0_usize..(4 * ENTRY + TAIL), bit in 0_u8..8) {
            let pack = pack(&[b"a".to_vec(), b"b".to_vec(), b"c".to_vec()]);
            let mut bytes = pack.bytes.to_vec();
            let at = bytes.len() - 1 - at;
            bytes[at] ^= 1 << bit;
            prop_assert!(!matches!(footer(&bytes), Ok(Footer::Whole(_))));
        }
    }

    /// Frames of all three codecs: text, text against the one before, bytes that do not compress.
    fn mixed() -> Pack {
        let mut builder = PackBuilder::with_capacity(0);
        for n in 0..4_u32 {
            let lines =
                (0..40_u32).map(|line| Hash::of(&(n * 40 + line).to_be_bytes()).to_string());
            let text = lines.collect::<String>().into_bytes();
            let changed = [&text[..], b"changed"].concat();
            let random: Vec<u8> =
                (0..9).flat_map(|m: u32| Hash::of(&(n * 9 + m).to_le_bytes()).0).collect();
            let mut encoder = Encoder::default();
            let base = Base { id: ChunkId::of(&text), bytes: &text, depth: 0 };
            for (chunk, base) in [(&text, None), (&changed, Some(base)), (&random, None)] {
                builder.push(&encoder.encode(ChunkId::of(chunk), chunk, base).expect("small"));
            }
        }
        builder.finish()
    }

    #[test]
    fn frames_behind_a_damaged_header_are_found_again() {
        let pack = mixed();
        let codecs: Vec<_> = pack.entries.iter().take(3).map(|entry| entry.codec).collect();
        assert_eq!(codecs, [Codec::Zstd, Codec::Based, Codec::Raw]);
        let mut cases = 0;
        for (place, entry) in pack.entries.iter().enumerate() {
            // Codec and both lengths, each bit.
            for bit in 32 * 8..HEADER * 8 {
                let mut bytes = pack.bytes.to_vec();
                bytes[entry.offset as usize + bit / 8] ^= 1 << (bit % 8);
                let found = scan(&bytes);
                let others = pack.entries.iter().enumerate().filter(|(other, _)| *other != place);
                for (_, other) in others {
                    let again = found.iter().find(|found| found.offset == other.offset);
                    let again = again.unwrap_or_else(|| panic!("frame {place}, bit {bit}"));
                    assert_eq!((again.id, again.base), (other.id, other.base));
                }
                cases += 1;
            }
        }
        assert_eq!(cases, 13 * 9 * 8);
    }

    #[test]
    fn the_same_chunks_make_packs_of_different_names() {
        let names: std::collections::BTreeSet<_> = (0..50).map(|_| mixed().id).collect();
        assert_eq!(names.len(), 50);
    }

    #[test]
    fn frames_behind_a_stretch_of_garbage_are_found_again() {
        let pack = mixed();
        let (from, to) = (pack.entries[1].offset as usize + 9, pack.entries[5].offset as usize + 9);
        let mut bytes = pack.bytes.to_vec();
        bytes[from..to].fill(0);
        let found: Vec<_> = scan(&bytes).iter().map(|entry| entry.offset).collect();
        let expected = [&pack.entries[..1], &pack.entries[6..]].concat();
        let expected: Vec<_> = expected.iter().map(|entry| entry.offset).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_table_with_a_base_where_none_can_be_is_refused() {
        let pack = mixed();
        let end = u64::MAX;
        let read = |entry: &Entry, at: usize, by: [u8; 32]| {
            let mut bytes = Vec::new();
            entry.write(&mut bytes);
            bytes[at..at + 32].copy_from_slice(&by);
            Entry::read(&mut &bytes[..], end)
        };
        let (alone, based) = (&pack.entries[0], &pack.entries[1]);
        assert_eq!(read(alone, 50, [0; 32]), Ok(*alone));
        assert!(read(alone, 50, [1; 32]).is_err(), "a base without need");
        assert!(read(based, 50, based.id.0).is_err(), "its own base");
    }

    #[test]
    fn the_footer_never_looks_like_a_frame() {
        for count in [1, 2, 300] {
            let pack = pack(&vec![b"same".to_vec(); count]);
            assert_eq!(scan(&pack.bytes).len(), count + 1);
        }
    }
}
