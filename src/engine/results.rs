//! What a restore does to the live rows, in numbers.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::DatasetCounts;
use crate::model::{Dataset, Part, PartManifest};
use crate::postgres::Applied;

/// What was done to the live rows of a dataset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
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

/// Changes by dataset, before it is known how many rows stay.
pub(super) type Changes = BTreeMap<Dataset, Applied>;

/// Sums the changes of parts up for their datasets.
pub(super) fn by_dataset(parts: &BTreeMap<&'static str, Applied>) -> Changes {
    let mut sums = Changes::new();
    for (name, counts) in parts {
        let part = Part::named(name).expect("counted under a part's name");
        let sum = sums.entry(part.dataset).or_default();
        sum.inserted += counts.inserted;
        sum.updated += counts.updated;
        sum.deleted += counts.deleted;
    }
    sums
}

impl From<&DatasetCounts> for Applied {
    fn from(counts: &DatasetCounts) -> Self {
        Self { inserted: counts.added, updated: counts.changed, deleted: counts.removed }
    }
}

impl RestoreResults {
    /// Whether nothing is changed.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        (self.inserted, self.updated, self.deleted) == (0, 0, 0)
    }

    /// All rows of these parts, as left alone.
    pub(super) fn unchanged(parts: &[PartManifest]) -> BTreeMap<Dataset, Self> {
        let mut all: BTreeMap<_, Self> = Dataset::ALL.map(|name| (name, Self::default())).into();
        for part in parts {
            all.entry(part.dataset).or_default().unchanged += part.rows;
        }
        all
    }

    /// These changes to those rows.
    pub(super) fn over(
        rows: &BTreeMap<Dataset, Self>,
        changes: &Changes,
    ) -> BTreeMap<Dataset, Self> {
        let result = |(dataset, rows): (&Dataset, &Self)| {
            let Applied { inserted, updated, deleted } =
                changes.get(dataset).copied().unwrap_or_default();
            let unchanged = rows.unchanged - updated - deleted;
            (*dataset, Self { inserted, updated, deleted, unchanged })
        };
        rows.iter().map(result).collect()
    }
}
