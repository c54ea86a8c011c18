//! The first primitive: the live tables become a snapshot, and a snapshot a backup.

pub mod backup;
pub mod base;
pub mod build;
pub mod changes;
pub mod described;
pub mod edits;
pub mod live;
pub mod look;
pub mod project;
pub mod reading;
pub mod rows;
pub mod scan;
pub mod sink;
pub mod sort;
