//! What the tree must know of a table: how many columns, which are the key, which are kept apart.

use super::row::{Key, RowError, fields, unescape};
use crate::model::{KeyKind, Table};

/// The shape of the rows of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    columns: usize,
    /// How each key column compares; they are the row's first columns.
    key: Vec<KeyKind>,
    groups: Vec<Vec<usize>>,
    /// Which columns a mere touch changes.
    volatile: Vec<bool>,
}

impl From<&Table> for Layout {
    fn from(table: &Table) -> Self {
        let kinds = table.key.iter().map(|key| key.kind).collect();
        let volatile = (0..table.columns.len()).map(|place| table.is_volatile(place)).collect();
        Self { volatile, ..Self::new(table.columns.len(), kinds, table.groups.clone()) }
    }
}

impl Layout {
    /// Rows of so many columns, of which the first ones are the key and none is volatile.
    ///
    /// # Panics
    /// If the groups do not hold every column exactly once, or the first lacks the key.
    #[must_use]
    pub fn new(columns: usize, key: Vec<KeyKind>, groups: Vec<Vec<usize>>) -> Self {
        let mut all: Vec<_> = groups.iter().flatten().copied().collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..columns), "each column is in one group");
        assert!((0..key.len()).all(|column| groups[0].contains(&column)), "the key comes first");
        Self { columns, key, groups, volatile: vec![false; columns] }
    }

    /// The same with a volatile column.
    #[cfg(test)]
    pub(super) fn with_volatile(mut self, column: usize) -> Self {
        self.volatile[column] = true;
        self
    }

    /// The number of stored columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The columns of each group.
    #[must_use]
    pub fn groups(&self) -> &[Vec<usize>] {
        &self.groups
    }

    /// Whether a mere touch changes this column.
    pub(super) fn is_volatile(&self, column: usize) -> bool {
        self.volatile[column]
    }

    /// Whether two rows differ in volatile columns alone.
    pub(super) fn is_touch(&self, old: &[u8], new: &[u8]) -> bool {
        let mut cells = self.volatile.iter().zip(fields(old).zip(fields(new)));
        cells.all(|(volatile, (old, new))| *volatile || old == new)
    }

    /// How many of the first columns make the key.
    #[must_use]
    pub fn key_columns(&self) -> usize {
        self.key.len()
    }

    /// The key of a row, as bytes that compare as the key does.
    ///
    /// # Errors
    /// If the row has too few fields or a key field is not of its kind.
    pub fn key_of(&self, row: &[u8]) -> Result<Key, RowError> {
        self.encode_key(fields(row))
    }

    /// The key that these values make, as PostgreSQL shows them and not escaped for COPY.
    ///
    /// # Errors
    /// If there are too few or one is not of its kind.
    pub fn key_of_values<'v>(
        &self,
        values: impl Iterator<Item = &'v str>,
    ) -> Result<Key, RowError> {
        // Back to COPY's form, of which a backslash is the only character that must be escaped here.
        let fields: Vec<_> = values.map(|value| value.replace('\\', r"\\")).collect();
        self.encode_key(fields.iter().map(String::as_bytes))
    }

    /// The key that these COPY fields make.
    ///
    /// # Errors
    /// If there are too few fields or one is not of its kind.
    pub fn encode_key<'f>(
        &self,
        mut fields: impl Iterator<Item = &'f [u8]>,
    ) -> Result<Key, RowError> {
        let mut key = Vec::with_capacity(48);
        self.encode_onto(&mut key, &mut fields)?;
        Ok(key)
    }

    /// Appends the key of a row, as [`Self::key_of`] gives it.
    ///
    /// # Errors
    /// As [`Self::key_of`].
    pub fn append_key(&self, key: &mut Vec<u8>, row: &[u8]) -> Result<(), RowError> {
        self.encode_onto(key, &mut fields(row))
    }

    fn encode_onto<'f>(
        &self,
        key: &mut Vec<u8>,
        fields: &mut impl Iterator<Item = &'f [u8]>,
    ) -> Result<(), RowError> {
        for (place, kind) in self.key.iter().enumerate() {
            let field = fields.next().ok_or(RowError::Columns)?;
            if field == b"\\N" {
                return Err(RowError::Key);
            }
            let last = place + 1 == self.key.len();
            encode(*kind, field, last, key)?;
        }
        Ok(())
    }
}

fn encode(kind: KeyKind, field: &[u8], last: bool, key: &mut Key) -> Result<(), RowError> {
    match kind {
        KeyKind::Text => {
            key.extend_from_slice(&unescape(field));
            // PostgreSQL's text has no zero byte, so it ends a component that others follow.
            if !last {
                key.push(0);
            }
        }
        KeyKind::Uuid => {
            let text = std::str::from_utf8(field).map_err(|_| RowError::Key)?;
            let uuid = uuid::Uuid::try_parse(text).map_err(|_| RowError::Key)?;
            key.extend_from_slice(uuid.as_bytes());
        }
        KeyKind::Integer => {
            let text = std::str::from_utf8(field).map_err(|_| RowError::Key)?;
            let value: i64 = text.parse().map_err(|_| RowError::Key)?;
            key.extend_from_slice(&(value.cast_unsigned() ^ (1 << 63)).to_be_bytes());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(kind: KeyKind, field: &str) -> Key {
        Layout::new(1, vec![kind], vec![vec![0]]).key_of(field.as_bytes()).expect("a key")
    }

    proptest! {
        #[test]
        fn integer_keys_compare_by_value(a: i64, b: i64) {
            let of = |value: i64| key(KeyKind::Integer, &value.to_string());
            prop_assert_eq!(of(a).cmp(&of(b)), a.cmp(&b));
        }

        #[test]
        fn keys_of_two_texts_compare_component_by_component(
            a in "[a-c]{0,3}", b in "[a-c]{0,3}", c in "[a-c]{0,3}", d in "[a-c]{0,3}",
        ) {
            let kinds = vec![KeyKind::Text, KeyKind::Text];
            let layout = Layout::new(2, kinds, vec![vec![0, 1]]);
            let of = |x: &str, y: &str| layout.key_of(format!("{x}\t{y}").as_bytes()).expect("a key");
            prop_assert_eq!(of(&a, &b).cmp(&of(&c, &d)), (&a, &b).cmp(&(&c, &d)));
        }
    }

    #[test]
    fn a_key_is_unescaped_before_it_is_compared() {
        assert_eq!(key(KeyKind::Text, "a\\tb\\\\c"), b"a\tb\\c");
    }

    #[test]
    fn a_null_or_a_word_where_a_number_belongs_is_no_key() {
        let layout = Layout::new(1, vec![KeyKind::Integer], vec![vec![0]]);
        assert!(layout.key_of(b"\\N").is_err());
        assert!(layout.key_of(b"one").is_err());
    }
}
