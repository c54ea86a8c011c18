//! The second primitive at work: what differs between two snapshots, or in one row over time.

pub mod change_filter;
pub mod changes;
pub mod diff;
pub mod export_rows;
pub mod found;
pub mod history;
pub mod kept;
pub mod row_change;
pub mod row_finder;
pub mod spool;
pub mod trees;
