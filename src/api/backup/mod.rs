//! Backups: make, list, look at, describe, take out, delete.

pub mod archive;
pub mod changes;
pub mod create;
pub mod delete;
pub mod details;
pub mod edit;
pub mod file;
pub mod list;
pub mod scope;
