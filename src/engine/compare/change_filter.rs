//! Which changed rows are sought: by words, networks, datasets and kinds.

use std::collections::BTreeSet;

use crate::engine::ChangeKind;
use crate::model::{Dataset, Network};
use crate::tree::{Change, fields, unescape};

/// The most bytes that a network is written with.
const LONGEST: usize = 49;

/// Which changes to find. Every word must be found in the row, as it was or as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeFilter {
    words: Vec<Word>,
    /// Only those of this dataset.
    pub dataset: Option<Dataset>,
    /// Only those of these kinds.
    pub kinds: BTreeSet<ChangeKind>,
    /// Also those of which only the time of the last touch changed.
    pub touched: bool,
}

/// A word that is sought.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    /// In lower case.
    text: String,
    /// The network that it names. Then rows with a network within it are found; of an address those
    /// with a network that holds it.
    network: Option<Network>,
}

impl Default for ChangeFilter {
    /// All changes.
    fn default() -> Self {
        let kinds = [ChangeKind::Added, ChangeKind::Changed, ChangeKind::Removed].into();
        Self { words: Vec::new(), dataset: None, kinds, touched: true }
    }
}

impl ChangeFilter {
    /// The same with the words of this text.
    #[must_use]
    pub fn with_text(self, text: &str) -> Self {
        let word = |word: &str| Word { text: word.to_lowercase(), network: Network::parse(word) };
        Self { words: text.split_whitespace().map(word).collect(), ..self }
    }

    /// Whether it lets this change pass, of a dataset that it does. `text` is room to work in.
    pub(super) fn takes(
        &self,
        change: &Change,
        kind: ChangeKind,
        touched: bool,
        text: &mut Vec<u8>,
    ) -> bool {
        if !self.kinds.contains(&kind) || (touched && !self.touched) {
            return false;
        }
        if self.words.is_empty() {
            return true;
        }
        let with_networks = self.words.iter().any(|word| word.network.is_some());
        let (mut networks, rows) = (Vec::new(), change.old.iter().chain(&change.new));
        text.clear();
        for field in rows.flat_map(|row| fields(row)).filter(|field| *field != b"\\N") {
            if with_networks {
                networks.extend(network(field));
            }
            // A word holds no white space, so none is found across two fields.
            text.extend_from_slice(&unescape(field));
            text.push(b'\n');
        }
        if text.is_ascii() {
            text.make_ascii_lowercase();
        } else {
            *text = String::from_utf8_lossy(text).to_lowercase().into_bytes();
        }
        self.words.iter().all(|word| word.is_in(text, &networks))
    }
}

/// The network that a field is, if it is one.
fn network(field: &[u8]) -> Option<Network> {
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':' | b'/');
    // Nearly all fields are told by their length or first byte.
    let may_be = field.len() <= LONGEST && field.first().is_some_and(is_part);
    let text = Some(field)
        .filter(|field| may_be && field.iter().all(is_part))
        .and_then(|field| std::str::from_utf8(field).ok());
    text.and_then(Network::parse)
}

impl Word {
    fn is_in(&self, text: &[u8], networks: &[Network]) -> bool {
        let is_found = || memchr::memmem::find(text, self.text.as_bytes()).is_some();
        match &self.network {
            Some(address) if address.is_address() => {
                networks.iter().any(|network| network.contains(address)) || is_found()
            }
            Some(sought) => networks.iter().any(|network| sought.contains(network)),
            None => is_found(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(text: &str, row: &str) -> bool {
        let row = row.replace('|', "\t").into_bytes();
        let change = Change { key: b"k".to_vec(), old: None, new: Some(row) };
        let filter = ChangeFilter::default().with_text(text);
        filter.takes(&change, ChangeKind::Added, false, &mut Vec::new())
    }

    #[test]
    fn every_word_is_sought_in_all_columns() {
        let row = r#"manual-1|Prod-VRF|10.1.2.0/24|{"owner": "Ünal"}|\N"#;
        for (text, found) in [
            ("", true),
            ("prod-vrf", true),
            ("PROD ünal", true),
            ("prod other", false),
            ("10.1.2.0/24", true),
            ("10.1.0.0/16", true),
            ("10.1.2.7", true),
            ("10.1.2", true),
            ("10.1.2.0/25", false),
            ("10.1.3.7", false),
            (r"\N", false),
        ] {
            assert_eq!(takes(text, row), found, "{text}");
        }
        assert!(!takes("10.1.2.0/24", "a|110.1.2.0/24"), "another network with the same end");
    }
}
