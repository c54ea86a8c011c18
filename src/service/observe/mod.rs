//! What can be seen from outside: the store as a whole, its size and disk, and the metrics.

pub mod cached;
pub mod disk;
pub mod exposition;
pub mod measures;
pub mod metrics;
pub mod overview;
pub mod overviews;
pub mod sizes;
