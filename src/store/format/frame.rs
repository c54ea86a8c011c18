//! One chunk in a pack: a header of fixed width and the compressed bytes.
//!
//! ```text
//! chunk id 32 | codec u8 | raw length u32 | stored length u32 | payload (stored length bytes)
//! ```
//!
//! Integers are little-endian. The payload is the raw bytes (codec 0), a zstd frame (codec 1), or
//! (codec 2) the id of a base chunk and a zstd frame whose prefix is the base's raw bytes.

use std::cell::RefCell;

use zstd::bulk::Decompressor;
use zstd::zstd_safe::{find_frame_compressed_size, get_dict_id_from_frame, get_frame_content_size};

use crate::model::ChunkId;
use crate::tree::MAX_CHUNK;

/// Bytes before the payload.
pub const HEADER: usize = 41;

/// The first bytes of a zstd frame (RFC 8878); skippable frames have others.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The most bases that stand behind one chunk.
pub const MAX_DEPTH: u8 = 8;

/// How a chunk's bytes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Codec {
    /// As they are.
    Raw = 0,
    /// As a zstd frame.
    Zstd = 1,
    /// As a zstd frame whose prefix is another chunk.
    Based = 2,
}

impl Codec {
    /// The codec with this number.
    #[must_use]
    pub fn numbered(number: u8) -> Option<Self> {
        [Self::Raw, Self::Zstd, Self::Based].into_iter().find(|codec| *codec as u8 == number)
    }

    /// Whether so many stored bytes can be right for so many raw ones.
    #[must_use]
    pub fn fits(self, raw: u32, stored: u32) -> bool {
        raw as usize <= MAX_CHUNK
            && match self {
                Self::Raw => stored == raw,
                Self::Zstd => stored < raw,
                Self::Based => stored > 32 && stored < raw,
            }
    }
}

/// The bytes do not follow the format of frames, packs or indexes; says which rule they break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub &'static str);

/// A frame as it lies in the bytes of a pack.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    pub id: ChunkId,
    /// How it is stored.
    pub codec: Codec,
    /// The chunk's own length.
    pub raw_len: u32,
    /// The payload's length.
    pub stored_len: u32,
    /// The base chunk; there if the codec is [`Codec::Based`].
    pub base: Option<ChunkId>,
    /// The raw bytes or the zstd frame.
    data: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads the frame at the start of `bytes` and how many bytes it has.
    ///
    /// # Errors
    /// If there is no whole frame or it breaks the format.
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, usize), Fault> {
        let mut rest = bytes;
        let id = ChunkId(take(&mut rest)?);
        let [codec] = take(&mut rest)?;
        let codec = Codec::numbered(codec).ok_or(Fault("a frame has an unknown codec"))?;
        let raw_len = u32::from_le_bytes(take(&mut rest)?);
        let stored_len = u32::from_le_bytes(take(&mut rest)?);
        if !codec.fits(raw_len, stored_len) {
            return Err(Fault("a frame has lengths that cannot be"));
        }
        let payload = rest.get(..stored_len as usize).ok_or(Fault("a frame is cut off"))?;
        let (base, data) = match codec {
            Codec::Based => {
                let mut data = payload;
                (Some(ChunkId(take(&mut data)?)), data)
            }
            Codec::Raw | Codec::Zstd => (None, payload),
        };
        if base == Some(id) {
            return Err(Fault("a frame is its own base"));
        }
        if codec != Codec::Raw && !is_one_zstd_frame(data, raw_len) {
            return Err(Fault("a payload is not one zstd frame of the stored length"));
        }
        Ok((Self { id, codec, raw_len, stored_len, base, data }, HEADER + stored_len as usize))
    }

    /// Whether the frame is one beyond doubt, wherever in a pack it was found: its bytes have the
    /// hash that its id is. One with a base is taken for proven by the form of its payload.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.base.is_some() || self.decode(None).is_ok()
    }

    /// The chunk's bytes, checked against its id. `base` holds the base's bytes if there is one.
    ///
    /// # Errors
    /// If the bytes cannot be decompressed, or are not those that the id names.
    pub fn decode(&self, base: Option<&[u8]>) -> Result<Vec<u8>, Fault> {
        let raw = match (self.codec, base) {
            (Codec::Raw, _) => self.data.to_vec(),
            (Codec::Zstd, _) => decompress(self.data, &[], self.raw_len)?,
            (Codec::Based, Some(base)) => decompress(self.data, base, self.raw_len)?,
            (Codec::Based, None) => return Err(Fault("its base is missing")),
        };
        if ChunkId::of(&raw) == self.id {
            Ok(raw)
        } else {
            Err(Fault("its bytes have another hash"))
        }
    }
}

/// Whether the bytes are one zstd frame, no more and no less, that can hold so many raw bytes.
fn is_one_zstd_frame(data: &[u8], raw_len: u32) -> bool {
    let length = get_frame_content_size(data);
    data.starts_with(&ZSTD_MAGIC)
        && find_frame_compressed_size(data).is_ok_and(|size| size == data.len())
        && length.is_ok_and(|told| told.is_none_or(|told| told == u64::from(raw_len)))
        && get_dict_id_from_frame(data).is_none()
}

/// Takes an array off the front.
pub fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Fault> {
    let (head, rest) = bytes.split_first_chunk().ok_or(Fault("the bytes end too early"))?;
    *bytes = rest;
    Ok(*head)
}

thread_local! {
    /// zstd's working memory, kept from one frame to the next: making it anew took a seventh of
    /// the time of a comparison.
    static ZSTD: RefCell<Decompressor<'static>> =
        RefCell::new(Decompressor::new().expect("zstd can allocate its context"));
}

/// The bytes of a zstd frame, with `prefix` (or nothing) in front of what it may refer to.
fn decompress(data: &[u8], prefix: &[u8], raw_len: u32) -> Result<Vec<u8>, Fault> {
    ZSTD.with_borrow_mut(|zstd| {
        // Bytes that do not begin like a trained dictionary are taken as what came before.
        zstd.set_dictionary(prefix).map_err(|_| Fault("its base cannot be used"))?;
        // A buffer of just this length bounds what a lying frame can claim.
        let mut raw = Vec::with_capacity(raw_len as usize);
        let read = zstd.decompress_to_buffer(data, &mut raw);
        read.map_err(|_| Fault("zstd cannot decompress it"))?;
        if raw.len() == raw_len as usize { Ok(raw) } else { Err(Fault("it has another length")) }
    })
}
