//! Backups of the older form: their files, the ids that their rows lack, and their import.

pub mod files;
pub mod ids;
pub mod import;
