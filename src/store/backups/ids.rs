//! `ids.json`: every id that the store ever had, so that none comes back and the order is that of
//! creation.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};

use crate::model::{BackupId, Claimed, Ids, Manifest, Unrecorded, seal, unseal};
use crate::store::backend::swap::Swap;
use crate::store::{Store, StoreError, layout};
use crate::threads::locked;

/// The record as it was found.
enum Record {
    Found(Ids),
    /// There is none, or why it cannot be used; made from the manifests instead.
    Rebuilt {
        ids: Ids,
        why: Option<String>,
    },
}

impl Record {
    fn ids(self) -> Ids {
        match self {
            Self::Found(ids) | Self::Rebuilt { ids, .. } => ids,
        }
    }
}

/// Reads `ids.json`.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse(text: &[u8]) -> Result<Ids, String> {
    let found = unseal::<Ids>(text)?;
    if found.sealed { Ok(found.value) } else { Err("it has no checksum".into()) }
}

impl Store {
    /// Sorts ids by creation, oldest first. A record of this version, as a listing shows it, is not read
    /// twice.
    pub(in crate::store) async fn by_creation(
        &self,
        ids: Vec<BackupId>,
        version: Option<String>,
    ) -> Vec<BackupId> {
        if ids.len() < 2 {
            return ids;
        }
        if let Some((known, record)) = &*locked(&self.0.ids)
            && Some(known) == version.as_ref()
        {
            return record.sorted(ids);
        }
        let record = self.record(&ids).await;
        if let (Record::Found(found), Some(version)) = (&record, version) {
            *locked(&self.0.ids) = Some((version, found.clone()));
        }
        record.ids().sorted(ids)
    }

    /// Gives a new backup its id, which no other ever had, and its number. One that was `imported`
    /// takes its place in time; any other is the newest from now on.
    ///
    /// # Errors
    /// If the object store fails; then no id was used.
    pub async fn claim(&self, wanted: &Manifest, imported: bool) -> Result<Claimed, StoreError> {
        let there = self.folder_ids().await?;
        let (id, identity) = (&wanted.backup_id, wanted.identity());
        let lost = self.record(&there).await.ids();
        let new: Vec<_> = there.iter().filter(|id| !lost.contains(id)).cloned().collect();
        let new = self.unrecorded(new).await;
        let is_there = imported && self.is_published(id).await?;
        let (alone, path) = (self.alone().await?, layout::IDS.into());
        let claimed = self.swap(&alone, &path, |text| {
            let found = text.and_then(Result::ok).and_then(|text| parse(&text).ok());
            let mut ids = found.unwrap_or_else(|| lost.clone());
            ids.adopt(new.iter().cloned());
            let claimed = if imported {
                ids.claim_imported(id, identity, is_there)
            } else {
                ids.claim(id, identity)
            };
            Ok((Swap::Write(seal(&ids).into()), claimed))
        });
        let claimed = claimed.await;
        alone.release().await;
        claimed
    }

    /// Gives a copy of another store's backup its own id, at its place among the backups of that store,
    /// whose `order` is given; tells also whether it is the newest now.
    ///
    /// # Errors
    /// [`StoreError::IdTaken`] if the id was ever that of another backup; if the object store fails.
    pub async fn claim_copy(
        &self,
        copy: &Manifest,
        order: &[BackupId],
    ) -> Result<(Claimed, bool), StoreError> {
        let there = self.folder_ids().await?;
        let id = &copy.backup_id;
        let lost = self.record(&there).await.ids();
        let new: Vec<_> = there.iter().filter(|id| !lost.contains(id)).cloned().collect();
        let new = self.unrecorded(new).await;
        let alone = self.alone().await?;
        let path = layout::IDS.into();
        let claimed = self.swap(&alone, &path, |text| {
            let found = text.and_then(Result::ok).and_then(|text| parse(&text).ok());
            let mut ids = found.unwrap_or_else(|| lost.clone());
            ids.adopt(new.iter().cloned());
            let claimed = ids.claim_copy(id, copy.identity(), order);
            let swap = if claimed.is_some() { Swap::Write(seal(&ids).into()) } else { Swap::Keep };
            Ok((swap, claimed))
        });
        claimed.await?.ok_or_else(|| StoreError::IdTaken(id.clone()))
    }

    /// Writes a damaged or lost record again; says what was wrong with it.
    pub(in crate::store) async fn repair_ids(&self) -> Result<Option<String>, StoreError> {
        let there = self.folder_ids().await?;
        let Record::Rebuilt { ids, why: Some(why) } = self.record(&there).await else {
            return Ok(None);
        };
        let (alone, path) = (self.alone().await?, layout::IDS.into());
        let written = self.swap(&alone, &path, |text| {
            let whole = text.and_then(Result::ok).is_some_and(|text| parse(&text).is_ok());
            let swap = if whole { Swap::Keep } else { Swap::Write(seal(&ids).into()) };
            Ok((swap, ()))
        });
        let written = written.await;
        alone.release().await;
        let written = match written {
            Ok(()) => "it was written again from the manifests".into(),
            Err(error) => format!("it could not be written again: {error}"),
        };
        Ok(Some(format!("{}: {why}; {written}", layout::IDS)))
    }

    /// The ids that folders have, whether or not a backup is in them.
    pub(in crate::store) async fn folder_ids(&self) -> Result<Vec<BackupId>, StoreError> {
        let folders = self.objects().folders().await?;
        Ok(folders.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// The record. One that cannot be read must not keep anybody from their backups: their manifests
    /// then tell the order.
    async fn record(&self, there: &[BackupId]) -> Record {
        let why = match self.objects().find(&layout::IDS.into()).await {
            Ok(None) => None,
            Ok(Some(text)) => match parse(&text) {
                Ok(ids) => return Record::Found(ids),
                Err(why) => Some(format!("it is damaged: {why}")),
            },
            Err(error) => Some(format!("it cannot be read: {error}")),
        };
        let all: BTreeSet<_> = there.iter().cloned().collect();
        if why.is_none()
            && let Some((known, ids)) = &*locked(&self.0.rebuilt)
            && *known == all
        {
            return Record::Rebuilt { ids: ids.clone(), why: None };
        }
        let backups = self.unrecorded(there.to_vec()).await;
        let numbered = backups.iter().any(|backup| backup.number.is_some());
        let why = why.or_else(|| numbered.then(|| "it is missing".into()));
        let ids = Ids::rebuilt(backups);
        if why.is_none() {
            *locked(&self.0.rebuilt) = Some((all, ids.clone()));
        }
        Record::Rebuilt { ids, why }
    }

    async fn unrecorded(&self, ids: Vec<BackupId>) -> Vec<Unrecorded> {
        // Collected first: a stream of borrowing futures made on the fly is not known to be `Send`.
        let reads: Vec<_> = ids.into_iter().map(|id| self.unrecorded_one(id)).collect();
        stream::iter(reads).buffered(32).collect().await
    }

    async fn unrecorded_one(&self, id: BackupId) -> Unrecorded {
        match self.manifest(&id).await {
            Ok(manifest) => Unrecorded::of(&manifest),
            Err(_) => Unrecorded::unreadable(id),
        }
    }
}
