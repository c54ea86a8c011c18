//! What is known of the service while it runs: numbers, sizes, the disk.

pub mod cached;
pub mod disk;
pub mod metrics;
pub mod overview;
pub mod sizes;
