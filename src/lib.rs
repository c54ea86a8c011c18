//! The crate behind `ipam-rewind`.

pub mod embedded;
