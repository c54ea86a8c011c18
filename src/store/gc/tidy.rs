//! Housekeeping at the end of a sweep: one index object instead of many, no orphans.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::model::BackupId;
use crate::store::backend::files;
use crate::store::format::index_file;
use crate::store::index::load::{Known, Trust};
use crate::store::{Store, StoreError, layout, lock};

/// What was begun by whoever must share a lock that a sweep has alone is an orphan at once: packs,
/// indexes, manifests. States and what lies at the top may be written during a sweep: only an old one is.
const ORPHAN_AGE: Duration = Duration::from_hours(1);

/// Replaces all index objects by one over the packs that are there.
pub async fn merge_indexes(store: &Store) -> Result<(), StoreError> {
    let objects = store.objects();
    let Known { listing, index } = store.known(Trust::Packs).await?;
    let mut packs: Vec<_> = index.whole_packs().map(|(pack, _)| pack).collect();
    packs.sort_by_key(|pack| pack.pack);
    let (merged, bytes) = index_file::encode(&packs);
    // One of this name may be damaged.
    let path = layout::index(&merged);
    let listed = listing.indexes.contains(&merged);
    let there = if listed { objects.find(&path).await.unwrap_or(None) } else { None };
    if !packs.is_empty() && there.as_deref() != Some(&bytes[..]) {
        objects.put(&path, bytes.into()).await?;
    }
    for id in listing.indexes.iter().filter(|id| packs.is_empty() || **id != merged) {
        objects.discard(&layout::index(id)).await?;
    }
    Ok(())
}

/// Removes what killed processes left: states without a manifest, and in a folder temporary files,
/// empty folders and notes of locks. Says how many.
pub async fn remove_orphans(store: &Store) -> Result<u64, StoreError> {
    let objects = store.objects();
    let backups = store.backups().await?;
    let folders = objects.folders().await?;
    let ids = folders.iter().filter_map(|name| name.parse::<BackupId>().ok());
    let mut removed = 0;
    for id in ids.filter(|id| !backups.contains(id)) {
        let state = layout::state(&id);
        if objects.meta(&state).await?.is_some() {
            objects.remove(&state).await?;
            removed += 1;
        }
        if let Some(folder) = &objects.folder {
            removed += temporary_files(&folder.join(id.as_str()), |_| Duration::ZERO);
            removed += u64::from(fs::remove_dir(folder.join(id.as_str())).is_ok());
        }
    }
    if let Some(folder) = &objects.folder {
        removed += lock::tidy_notes(folder) as u64;
        removed += temporary_files(folder, |_| ORPHAN_AGE);
        removed += temporary_files(&folder.join(layout::INDEX), |_| Duration::ZERO);
        for packs in fs::read_dir(folder.join(layout::PACKS)).into_iter().flatten().flatten() {
            removed += temporary_files(&packs.path(), |_| Duration::ZERO);
        }
        for id in backups {
            let manifest = layout::manifest(&id);
            removed += temporary_files(&folder.join(id.as_str()), |name| {
                if manifest.filename() == Some(name) { Duration::ZERO } else { ORPHAN_AGE }
            });
        }
    }
    Ok(removed)
}

/// Removes the files that were not finished and are as old as their name demands.
fn temporary_files(folder: &Path, age: impl Fn(&str) -> Duration) -> u64 {
    let old = |entry: &fs::DirEntry| {
        let file = entry.file_name();
        let Some(name) = file.to_str().and_then(files::is_unfinished) else {
            return false;
        };
        let modified = entry.metadata().and_then(|meta| meta.modified());
        let since = modified.ok().and_then(|time| SystemTime::now().duration_since(time).ok());
        since.is_some_and(|since| since >= age(name))
    };
    let files = fs::read_dir(folder).into_iter().flatten().flatten().filter(old);
    files.filter(|entry| fs::remove_file(entry.path()).is_ok()).count() as u64
}
