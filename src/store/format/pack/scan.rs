//! The frames of a pack whose footer is damaged.

use crate::store::format::frame::{Frame, HEADER, MAX_DEPTH};
use crate::store::format::pack::{Entry, START};

/// So many times the bytes of a pack are at most tried to find frames again.
const EFFORT: usize = 16;

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

/// Returns where the next frame starts that proves itself; `effort` bounds the bytes that are tried for it.
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
