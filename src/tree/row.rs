//! Rows as PostgreSQL's COPY text writes them: fields between tabs, no line end.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter};

/// One row of COPY text without its line end.
pub type Row = Vec<u8>;

/// A key as bytes whose order is the key's order.
pub type Key = Vec<u8>;

/// A row is not what its layout says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The number of fields is another.
    #[error("a row has another number of columns than its table")]
    Columns,
    /// A key field is null or not of its type.
    #[error("a row's key is not of its type")]
    Key,
}

/// The fields of a row, still escaped.
pub fn fields(row: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = memchr_iter(b'\t', row).chain(std::iter::once(row.len()));
    ends.scan(0, move |start, end| {
        let field = &row[*start..end];
        *start = end + 1;
        Some(field)
    })
}

/// The first fields of a row, which are its key, for people.
#[must_use]
pub fn key_text(row: &[u8], columns: usize) -> String {
    let key = fields(row).take(columns).map(String::from_utf8_lossy);
    key.collect::<Vec<_>>().join(", ")
}

/// The value of a COPY field that is not null: its escapes undone.
#[must_use]
pub fn unescape(field: &[u8]) -> Cow<'_, [u8]> {
    if memchr(b'\\', field).is_none() {
        return Cow::Borrowed(field);
    }
    let mut out = Vec::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(&byte) = bytes.next() {
        let escaped = if byte == b'\\' { bytes.next() } else { None };
        out.push(match escaped {
            None => byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'v') => 11,
            Some(&other) => other,
        });
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_between_tabs_and_may_be_empty() {
        let all: Vec<_> = fields(b"a\t\tb\t").collect();
        assert_eq!(all, [&b"a"[..], b"", b"b", b""]);
        assert_eq!(fields(b"").count(), 1);
    }

    #[test]
    fn escapes_are_undone_and_everything_else_stays() {
        assert_eq!(&*unescape(b"plain"), b"plain");
        assert_eq!(&*unescape(br"a\tb\nc\\d\.\b\f\r\v"), b"a\tb\nc\\d.\x08\x0c\r\x0b");
        assert_eq!(&*unescape(br"end\"), br"end\");
    }
}
