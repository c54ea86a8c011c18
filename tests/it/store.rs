//! The store: the same behaviour over every kind of object store, and what damage does to it.

mod by_hand;
mod conformance;
mod crashes;
mod damage;
mod delayed;
pub mod faults;
mod late;
mod lies;
mod python;
mod reindexing;
mod s3;
pub mod samples;
mod small;
mod soaking;
pub mod sweeping;
mod verdicts;
