//! Which backups there are and whether anything of them has changed, for the price of a listing.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectMeta;

use crate::model::{BackupId, State};
use crate::store::{Store, StoreError, layout};

/// A backup as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub id: BackupId,
    /// Versions of its manifest and its state; nothing in a folder, where a damaged file
    /// may look like a whole one.
    version: Option<(String, Option<String>)>,
}

impl Seen {
    /// Returns whether this is what was seen earlier: then it need not be read again.
    #[must_use]
    pub fn is_unchanged(&self, earlier: &Self) -> bool {
        self.version.is_some() && self == earlier
    }

    /// Returns whether the listing shows that the backup has no state of its own.
    fn has_no_state(&self) -> bool {
        matches!(&self.version, Some((_, None)))
    }
}

impl Store {
    /// The ids of all backups in the order of their creation, oldest first: every folder with such a
    /// name and a manifest.
    ///
    /// # Errors
    /// If the object store fails.
    pub async fn backups(&self) -> Result<Vec<BackupId>, StoreError> {
        Ok(self.glance().await?.into_iter().map(|seen| seen.id).collect())
    }

    /// All backups as [`Self::backups`], with what tells whether they have changed. In a bucket this is one
    /// listing and, if it has changed, `ids.json`.
    ///
    /// # Errors
    /// If the object store fails.
    pub async fn glance(&self) -> Result<Vec<Seen>, StoreError> {
        if self.objects().folder.is_none() {
            return self.glance_at_listing().await;
        }
        let ids = self.folder_ids().await?.into_iter();
        // Collected first: a stream of borrowing futures made on the fly is not known to be `Send`.
        let published: Vec<_> = ids.map(|id| self.if_published(id)).collect();
        let published: Vec<_> = stream::iter(published).buffered(32).try_collect().await?;
        let ids = self.by_creation(published.into_iter().flatten().collect(), None).await;
        Ok(ids.into_iter().map(|id| Seen { id, version: None }).collect())
    }

    async fn glance_at_listing(&self) -> Result<Vec<Seen>, StoreError> {
        let (mut manifests, mut states) = (BTreeMap::new(), BTreeMap::new());
        let mut record = None;
        for meta in self.objects().list("").await? {
            let mut parts = meta.location.parts();
            let (Some(folder), file, None) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            let id = folder.as_ref().parse::<BackupId>().ok();
            match (id, file.as_ref().map(AsRef::as_ref)) {
                (Some(id), Some("manifest.json")) => drop(manifests.insert(id, version(&meta))),
                (Some(id), Some("state.json")) => drop(states.insert(id, version(&meta))),
                (None, None) if folder.as_ref() == layout::IDS => record = Some(version(&meta)),
                _ => {}
            }
        }
        let ids = self.by_creation(manifests.keys().cloned().collect(), record).await;
        let seen = |id: BackupId| {
            let version = manifests.remove(&id).map(|manifest| (manifest, states.remove(&id)));
            Seen { id, version }
        };
        Ok(ids.into_iter().map(seen).collect())
    }

    /// The state of a backup; not asked for where the listing shows that there is none.
    ///
    /// # Errors
    /// As [`Self::state`].
    pub async fn state_seen(&self, seen: &Seen) -> Result<State, StoreError> {
        if seen.has_no_state() { Ok(State::default()) } else { self.state(&seen.id).await }
    }
}

fn version(meta: &ObjectMeta) -> String {
    let changed = || format!("{} {}", meta.last_modified, meta.size);
    meta.e_tag.clone().unwrap_or_else(changed)
}
