//! Backups: make, list, look at, delete.

pub mod create;
pub mod delete;
pub mod details;
pub mod list;
