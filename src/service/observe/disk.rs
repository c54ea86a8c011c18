//! The disk that a store in a folder is on, and the store's own numbers beside its.

use std::path::Path;

use serde::Serialize;

use crate::engine::StoreStatistics;
use crate::store::Store;

/// A disk in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DiskSpace {
    /// Bytes in all.
    pub total_bytes: u64,
    /// Bytes that this service can still use.
    pub available_bytes: u64,
}

/// The disk that the store is on.
#[derive(Debug, Clone)]
pub struct Disk {
    /// Its size, and what is left of it.
    pub space: DiskSpace,
    /// When it will be full if the store goes on growing as it did; none where that cannot be told.
    pub full_in_days: Option<u64>,
}

/// The store and its disk in numbers.
#[derive(Debug, Clone)]
pub struct Statistics {
    pub store: StoreStatistics,
    /// The disk that the store is on; none where the store is no folder.
    pub disk: Option<Disk>,
}

impl DiskSpace {
    /// The disk that a store is on, if it is a folder and the operating system tells.
    #[must_use]
    pub fn of_store(store: &Store) -> Option<Self> {
        Self::of(store.folder()?).ok()
    }

    /// The disk that this folder is on.
    ///
    /// # Errors
    /// If the operating system does not tell.
    pub fn of(folder: &Path) -> nix::Result<Self> {
        let disk = nix::sys::statvfs::statvfs(folder)?;
        let bytes = |blocks: u64| blocks.saturating_mul(disk.fragment_size());
        Ok(Self {
            total_bytes: bytes(disk.blocks()),
            available_bytes: bytes(disk.blocks_available()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_no_more_left_than_it_has() {
        let disk = DiskSpace::of(Path::new("/")).expect("there is a disk");
        assert!(disk.total_bytes > 0 && disk.available_bytes <= disk.total_bytes);
        assert!(DiskSpace::of(Path::new("/no/such/folder")).is_err());
    }
}
