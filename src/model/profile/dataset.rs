//! The names of datasets.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// The name of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Dataset(Arc<str>);

impl Dataset {
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for Dataset {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<&str> for Dataset {
    fn eq(&self, other: &&str) -> bool {
        self.name() == *other
    }
}

impl From<&str> for Dataset {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

/// Something of each dataset, in the order of the profile.
pub type PerDataset<T> = IndexMap<Dataset, T>;

/// No dataset has this name.
#[derive(Debug, thiserror::Error)]
#[error("no dataset is named {name:?}; they are {known}")]
pub struct UnknownDataset {
    name: String,
    known: String,
}

impl UnknownDataset {
    /// This name, beside those that there are.
    pub(super) fn new<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Self {
        Self { name: name.chars().take(80).collect(), known: in_words(known) }
    }
}

/// `a, b and c`.
fn in_words<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let words: Vec<_> = words.collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => words.concat(),
    }
}
