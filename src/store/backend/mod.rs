//! Objects in a folder, in S3 or in memory: read whole, written whole, swapped, listed.

pub mod conditions;
pub mod files;
pub mod objects;
pub mod swap;
