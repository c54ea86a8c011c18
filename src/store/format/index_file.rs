//! The bytes of an index object: the entries of some packs. A cache of what their footers say.
//!
//! ```text
//! "IPRWIDX1"  pack count u32
//! for each pack:  pack id 32 | file size u64 | entry count u32 | entries as in its footer
//! SHA-256 of everything before
//! ```

use std::sync::Arc;

use crate::model::{Hash, PackId};
use crate::store::format::frame::{Fault, take};
use crate::store::format::pack::{ENTRY, Entry};

const START: &[u8; 8] = b"IPRWIDX1";

/// What an index object says of one pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackEntries {
    pub pack: PackId,
    /// Bytes of its file. If the file has another size, this is of no use.
    pub size: u64,
    /// What is in it.
    pub entries: Arc<[Entry]>,
}

/// The bytes of an index object and its name.
#[must_use]
pub fn encode(packs: &[PackEntries]) -> (Hash, Vec<u8>) {
    let count =
        |length: usize| u32::try_from(length).expect("no more than 2³² of them").to_le_bytes();
    let mut out = START.to_vec();
    out.extend_from_slice(&count(packs.len()));
    for pack in packs {
        out.extend_from_slice(&pack.pack.0);
        out.extend_from_slice(&pack.size.to_le_bytes());
        out.extend_from_slice(&count(pack.entries.len()));
        for entry in &*pack.entries {
            entry.write(&mut out);
        }
    }
    let checksum = Hash::of(&out);
    out.extend_from_slice(&checksum.0);
    (Hash::of(&out), out)
}

/// Reads an index object.
///
/// # Errors
/// If its checksum is wrong or it breaks the format.
pub fn parse(bytes: &[u8]) -> Result<Vec<PackEntries>, Fault> {
    let (body, checksum) =
        bytes.split_last_chunk::<32>().ok_or(Fault("the index object is too short"))?;
    let mut rest = body.strip_prefix(START).ok_or(Fault("it is not an index object"))?;
    if Hash::of(body).0 != *checksum {
        return Err(Fault("the index object's checksum is wrong"));
    }
    let count = u32::from_le_bytes(take(&mut rest)?);
    let mut packs = Vec::new();
    for _ in 0..count {
        let pack = PackId(take(&mut rest)?);
        let size = u64::from_le_bytes(take(&mut rest)?);
        let count = u32::from_le_bytes(take(&mut rest)?) as usize;
        if count > rest.len() / ENTRY {
            return Err(Fault("the index object has fewer entries than it says"));
        }
        let entries = (0..count).map(|_| Entry::read(&mut rest, size)).collect::<Result<_, _>>()?;
        packs.push(PackEntries { pack, size, entries });
    }
    if rest.is_empty() { Ok(packs) } else { Err(Fault("the index object has bytes left over")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ChunkId;
    use crate::store::format::frame::Codec;
    use proptest::prelude::*;

    fn sample(packs: u8, entries: u32) -> Vec<PackEntries> {
        let entry = |n: u32| Entry {
            id: ChunkId::of(&n.to_le_bytes()),
            offset: 8 + n * 50,
            raw_len: 9,
            stored_len: 9,
            codec: Codec::Raw,
            depth: 0,
            base: None,
        };
        let pack = |n: u8| PackEntries {
            pack: PackId::of(&[n]),
            size: 1 << 20,
            entries: (0..entries).map(entry).collect(),
        };
        (0..packs).map(pack).collect()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(packs in 0_u8..5, entries in 0_u32..50) {
            let packs = sample(packs, entries);
            prop_assert_eq!(parse(&encode(&packs).1), Ok(packs));
        }

        #[test]
        fn a_changed_byte_is_found(at: prop::sample::Index, by in 1_u8..) {
            let (_, mut bytes) = encode(&sample(2, 3));
            let at = at.index(bytes.len());
            bytes[at] ^= by;
            prop_assert!(parse(&bytes).is_err());
        }

        #[test]
        fn counts_that_lie_reserve_nothing(tail: Vec<u8>) {
            let body = [&START[..], &u32::MAX.to_le_bytes(), &tail].concat();
            let bytes = [&body[..], &Hash::of(&body).0].concat();
            prop_assert!(parse(&bytes).is_err());
        }
    }
}
