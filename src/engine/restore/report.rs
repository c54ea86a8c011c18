//! What a restore does to the live rows, in numbers.

use serde::{Deserialize, Serialize};

use crate::engine::Counts;
use crate::engine::snapshot::Snapshot;
use crate::model::{Dataset, PerDataset, Profile, RowCounts};
use crate::postgres::Staged;

/// What was done to the live rows of a dataset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreResults {
    /// Rows that were missing.
    pub inserted: u64,
    /// Rows that had other values.
    pub updated: u64,
    /// Rows that the backup does not have.
    pub deleted: u64,
    /// Rows that were left as they were.
    pub unchanged: u64,
}

/// Sums the changes of parts up for their datasets.
pub(in crate::engine) fn by_dataset(profile: &Profile, parts: &Staged) -> Counts {
    let mut sums = Counts::new();
    for (name, counts) in parts {
        let part = profile.part(name).expect("counted under a part's name");
        *sums.entry(part.dataset.clone()).or_default() += *counts;
    }
    sums
}

impl RestoreResults {
    /// Whether nothing is changed.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        (self.inserted, self.updated, self.deleted) == (0, 0, 0)
    }

    /// All rows of this snapshot, as left alone.
    pub(in crate::engine) fn unchanged(snapshot: &Snapshot) -> PerDataset<Self> {
        let mut all: PerDataset<Self> = snapshot.profile.per_dataset(|_| Self::default());
        for part in &snapshot.parts {
            all.entry(part.dataset.clone()).or_default().unchanged += part.rows;
        }
        all
    }

    /// These changes, from live to what it becomes, made to those rows.
    pub(in crate::engine) fn over(rows: &PerDataset<Self>, changes: &Counts) -> PerDataset<Self> {
        let result = |(dataset, rows): (&Dataset, &Self)| {
            let counts = changes.get(dataset).copied().unwrap_or_default();
            let RowCounts { added: inserted, changed: updated, removed: deleted, .. } = counts;
            let unchanged = rows.unchanged - updated - deleted;
            (dataset.clone(), Self { inserted, updated, deleted, unchanged })
        };
        rows.iter().map(result).collect()
    }
}
