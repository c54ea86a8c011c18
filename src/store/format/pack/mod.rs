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

mod build;
mod entry;
mod footer;
mod scan;

pub use build::{Pack, PackBuilder};
pub use entry::Entry;
pub use footer::{Footer, is_tail_of, parse_footer};
pub use scan::scan;

const START: &[u8; 8] = b"IPRWPK01";
/// The first byte of the chunk that makes a pack's name unique.
const NONCE_TAG: u8 = b'U';
/// Bytes of that chunk.
pub const NONCE: usize = 17;
const END: &[u8; 8] = b"IPRWEND1";
/// Bytes of a table entry.
pub const ENTRY: usize = 82;
/// Bytes after the table.
pub const TAIL: usize = 4 + 32 + 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChunkId, Hash};
    use crate::store::format::encode::{Base, Encoder};
    use crate::store::format::frame::{Codec, Fault, Frame, HEADER};
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
