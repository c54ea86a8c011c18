//! Backups made of chunks: manifests and states, profiles, ids in the order of creation.

pub mod ids;
pub mod manifests;
pub mod profiles;
pub mod seen;
