//! How many rows differ.

use std::iter::Sum;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// How many rows differ between two snapshots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCounts {
    /// Rows only in the second snapshot.
    pub added: u64,
    /// Rows in both with other values.
    pub changed: u64,
    /// Of the changed ones, those where only the time of the last touch differs.
    pub touched: u64,
    /// Rows only in the first snapshot.
    pub removed: u64,
}

impl RowCounts {
    /// All rows that differ.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.added + self.changed + self.removed
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.rows() == 0
    }
}

impl AddAssign for RowCounts {
    fn add_assign(&mut self, more: Self) {
        self.added += more.added;
        self.changed += more.changed;
        self.touched += more.touched;
        self.removed += more.removed;
    }
}

impl Sum for RowCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |mut all, more| {
            all += more;
            all
        })
    }
}
