//! The bytes of packs, frames and index objects; see `store-format.md`.

pub mod encode;
#[cfg(test)]
pub mod example;
pub mod frame;
pub mod index_file;
pub mod pack;
