//! Backups that leave a store as files, and come into another.

mod annotations;
pub mod application;
mod changes;
pub mod exact;
mod files;
mod hostile;
mod legacy;
mod memory;
mod portable;
