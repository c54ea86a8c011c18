//! Backups as files that other programs read: out, and in again.
//!
//! A dataset file is JSON, made on the way out from the stored rows. An archive is a tar of the four
//! dataset files and `backup_info.json`, which holds the manifest: an import makes the same trees of
//! the same rows again, and proves it by their root hashes.

mod describe;
mod export;
mod folder;
mod form;
mod import;
mod incoming;
mod json_in;
mod json_out;
mod legacy;
mod names;
mod rebuild;
mod sizes;
mod unpack;
mod zone;

pub use describe::check_archive_metadata;
pub use export::tar_name;
pub use folder::FolderExport;
pub use import::{ImportOptions, Imported};
pub(in crate::engine) use sizes::FileSizes;
pub use zone::{TimeZone, UnknownTimeZone};
