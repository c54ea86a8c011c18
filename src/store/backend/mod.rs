//! Objects in a folder, in S3 or in memory: read whole, written whole, swapped, listed.

pub mod abilities;
pub mod files;
pub mod objects;
pub mod probe;
pub mod s3;
pub mod swap;
