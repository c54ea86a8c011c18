//! The second primitive at work: what differs between two snapshots, or in one row over time.

pub mod changes;
pub mod diff;
pub mod export_rows;
pub mod history;
pub mod row_change;
pub mod row_finder;
pub mod trees;
