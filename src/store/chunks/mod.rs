//! Chunks by their ids: read, written in packs, confirmed before a manifest refers to them.

pub mod cache;
pub mod confirm;
pub mod read;
pub mod transfer;
pub mod upload;
pub mod write;
