//! Small files that prove themselves: pretty JSON whose last key is the SHA-256 of the file.

use std::ops::Range;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Hash;

const CHECKSUM: &str = "checksum";
const KEY: &[u8] = b"\"checksum\": \"";

/// Returns a value as pretty JSON with a last key `checksum`: the SHA-256 of the text, taken with
/// zeros in the place of its 64 digits.
///
/// # Panics
/// If the value is not a JSON object.
#[must_use]
pub fn seal<T: Serialize>(value: &T) -> Vec<u8> {
    let mut value = serde_json::to_value(value).expect("what is kept is plain data");
    value[CHECKSUM] = "0".repeat(64).into();
    let mut text = serde_json::to_vec_pretty(&value).expect("what is kept is plain data");
    text.push(b'\n');
    let digits = digits(&text).expect("it was just put there");
    let checksum = Hash::of(&text).to_string();
    text[digits].copy_from_slice(checksum.as_bytes());
    text
}

/// Returns the place of the checksum's digits.
fn digits(text: &[u8]) -> Option<Range<usize>> {
    let start = memchr::memmem::rfind(text, KEY)? + KEY.len();
    (text.len() >= start + 64).then_some(start..start + 64)
}

/// Checks the checksum of a text that must have one. Line ends may follow: a file that is overwritten
/// in place has them for a moment.
///
/// # Errors
/// If it has none, or a wrong one.
pub fn check_seal(text: &[u8]) -> Result<(), String> {
    let digits = digits(text).ok_or("it has no checksum")?;
    let end = text.iter().rposition(|byte| *byte != b'\n').map_or(0, |last| last + 1);
    let mut zeroed = [&text[..end], b"\n"].concat();
    zeroed[digits.clone()].fill(b'0');
    if Hash::of(&zeroed).to_string().as_bytes() == &text[digits] {
        Ok(())
    } else {
        Err("its checksum is wrong".into())
    }
}

/// A value that was read, and whether a checksum proved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsealed<T> {
    pub value: T,
    /// False for a file without a checksum, as earlier programs wrote it.
    pub sealed: bool,
}

/// Reads a value. A text without a checksum is what an earlier program wrote; whether it may hold
/// keys that `T` does not know is for `T` to say.
///
/// # Errors
/// If the checksum is wrong, or the text is no such value.
pub fn unseal<T: DeserializeOwned>(text: &[u8]) -> Result<Unsealed<T>, String> {
    let mut object: Map<String, Value> =
        serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let sealed = object.remove(CHECKSUM).is_some();
    if sealed {
        check_seal(text)?;
    }
    let value = serde_json::from_value(object.into()).map_err(|error| error.to_string())?;
    Ok(Unsealed { value, sealed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Note {
        text: String,
        limit: Option<u32>,
    }

    #[test]
    fn sealed_text_with_any_bit_flipped_is_refused() {
        let note = Note { text: r#"says "checksum": "abc""#.into(), limit: Some(7) };
        let text = seal(&note);
        assert_eq!(unseal(&text), Ok(Unsealed { value: note, sealed: true }));
        for bit in 0..text.len() * 8 {
            let mut flipped = text.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let read = unseal::<Note>(&flipped);
            assert!(read.is_err(), "bit {bit}: {}", String::from_utf8_lossy(&flipped));
        }
    }

    #[test]
    fn text_of_earlier_programs_is_read_without_a_checksum() {
        let read = unseal::<Note>(br#"{"text": "x", "limit": null}"#).expect("read");
        assert!(!read.sealed);
        assert!(unseal::<Note>(br#"{"text": "x", "limjt": 3}"#).is_err());
    }
}
