//! The footer of a pack, read from its last bytes.

use crate::model::Hash;
use crate::store::format::frame::Fault;
use crate::store::format::pack::{END, ENTRY, Entry, START, TAIL};

/// Content of the end of a pack.
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

/// Returns whether these last bytes of a pack are those after a table of just these entries.
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
