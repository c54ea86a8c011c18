//! The first primitive: the live tables become a snapshot, and a snapshot a backup.

pub mod backup;
pub mod build;
pub mod live;
pub mod project;
pub mod scan;
pub mod sink;
pub mod sort;
