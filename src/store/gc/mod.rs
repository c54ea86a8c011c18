//! What backups need, and the removal of everything else.

pub mod reach;
pub mod repack;
pub mod retire;
pub mod survey;
pub mod sweep;
pub mod tidy;
