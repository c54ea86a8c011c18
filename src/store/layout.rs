//! The names of the objects below the store's prefix.

use object_store::path::Path;

use crate::model::{BackupId, Hash, PackId};

/// Format version and parameters; written once.
pub const STORE: &str = "store.json";
/// Every id that the store ever had, in the order of creation.
pub const IDS: &str = "ids.json";
/// Abilities of the servers that hold the store.
pub const ABILITIES: &str = "abilities.json";
/// Chunks that were found damaged, and where.
pub const DAMAGED: &str = "damaged.json";
/// Packs that nothing reached when a sweep last looked.
pub const MARKED_PACKS: &str = "doomed.json";
/// Written and removed, to see whether the store can be written.
pub const TRIAL: &str = "trial";
/// The folder of the packs.
pub const PACKS: &str = "packs";
/// The folder of the index.
pub const INDEX: &str = "index";
/// The folder of the locks.
pub const LOCKS: &str = "locks";
/// In it the file that is locked while a small object is changed.
pub const STATES_LOCK: &str = "states";

pub fn pack(id: &PackId) -> Path {
    Path::from(format!("{}/{id}.pack", pack_folder(id)))
}

/// The folder of a pack.
pub fn pack_folder(id: &PackId) -> String {
    format!("{PACKS}/{}", &id.to_string()[..2])
}

/// The pack whose file this is; `None` for anything else that lies among the packs.
pub fn pack_id(path: &Path) -> Option<PackId> {
    let id: PackId = path.filename()?.strip_suffix(".pack")?.parse().ok()?;
    (pack(&id) == *path).then_some(id)
}

pub fn index(id: &Hash) -> Path {
    Path::from(format!("{INDEX}/{id}.idx"))
}

/// The hash in the name of an index object.
pub fn index_id(path: &Path) -> Option<Hash> {
    let id: Hash = path.filename()?.strip_suffix(".idx")?.parse().ok()?;
    (index(&id) == *path).then_some(id)
}

pub fn manifest(id: &BackupId) -> Path {
    Path::from(format!("{id}/manifest.json"))
}

pub fn state(id: &BackupId) -> Path {
    Path::from(format!("{id}/state.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_in_its_own_place_is_a_pack() {
        let id = PackId::of(b"pack");
        assert_eq!(pack_id(&pack(&id)), Some(id));
        let index_name = Hash::of(b"index");
        assert_eq!(index_id(&index(&index_name)), Some(index_name));
        for wrong in [format!("packs/00/{id}.pack"), format!("packs/{id}"), "packs/x.pack".into()] {
            assert_eq!(pack_id(&Path::from(wrong)), None);
        }
    }
}
