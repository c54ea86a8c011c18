//! The folders of the backups: a manifest that never changes, and a state that may.

use bytes::Bytes;
use futures::{StreamExt, stream};

use crate::model::{BackupId, Manifest, State, Unsealed, check_seal, seal, unseal};
use crate::store::backend::swap::{Alone, Read, Swap};
use crate::store::{Held, Store, StoreError, layout};

/// Reads a manifest. Its profile may be yet to be read; then only its version is checked.
///
/// # Errors
/// Says what is wrong with it: the checksum, the JSON, or the version.
pub fn parse_manifest(text: &[u8]) -> Result<Manifest, String> {
    check_seal(text)?;
    // Unlike other sealed files, a manifest is never written in place: its end is exact.
    if !text.ends_with(b"}\n") {
        return Err("its end is not that of a manifest".into());
    }
    let manifest: Manifest = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    // What depends on the profile is checked once that is read.
    if manifest.profile.is_read() {
        manifest.check()?;
    } else {
        manifest.check_format()?;
    }
    Ok(manifest)
}

/// Reads a state. Keys that this program does not know are kept if a checksum proves them; without
/// one they are damage: `pioned` is not the default of `pinned`.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse_state(text: &[u8]) -> Result<State, String> {
    let Unsealed { value, sealed } = unseal::<State>(text)?;
    match value.other.keys().next() {
        Some(key) if !sealed => Err(format!("it has no checksum, but an unknown key {key:?}")),
        _ => Ok(value),
    }
}

impl Store {
    /// Returns what `keep` takes from the manifest of each backup, oldest first, and what is wrong with those
    /// that cannot be read: one such does not hide the others. Several are read at a time, and none is
    /// held longer than `keep` needs it, so any number of backups can be gone through.
    ///
    /// # Errors
    /// If the object store fails.
    pub async fn manifests<T>(
        &self,
        mut keep: impl FnMut(Manifest) -> T,
    ) -> Result<(Vec<T>, Vec<String>), StoreError> {
        let ids = self.by_creation(self.folder_ids().await?, None).await;
        // Collected first, as in `glance`.
        let reads: Vec<_> = ids.iter().map(|id| self.manifest_if_there(id)).collect();
        let mut reads = stream::iter(reads).buffered(32);
        let (mut kept, mut unreadable) = (Vec::with_capacity(ids.len()), Vec::new());
        while let Some(read) = reads.next().await {
            match read {
                Ok(manifest) => kept.extend(manifest.map(&mut keep)),
                Err(damaged @ StoreError::ManifestDamaged { .. }) => {
                    unreadable.push(damaged.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        Ok((kept, unreadable))
    }

    /// A folder without a manifest is no backup, or no longer.
    async fn manifest_if_there(&self, id: &BackupId) -> Result<Option<Manifest>, StoreError> {
        match self.manifest(id).await {
            Err(StoreError::NoSuchBackup(_)) => Ok(None),
            read => read.map(Some),
        }
    }

    pub(in crate::store) async fn if_published(
        &self,
        id: BackupId,
    ) -> Result<Option<BackupId>, StoreError> {
        Ok(self.is_published(&id).await?.then_some(id))
    }

    pub(in crate::store) async fn is_published(&self, id: &BackupId) -> Result<bool, StoreError> {
        match self.objects().meta(&layout::manifest(id)).await {
            // A folder that cannot be looked into holds a backup that cannot be read.
            Err(error) if self.objects().is_unreadable(&error) => Ok(true),
            found => Ok(found?.is_some()),
        }
    }

    /// A backup's manifest, its checksum checked.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBackup`], [`StoreError::ManifestDamaged`].
    pub async fn manifest(&self, id: &BackupId) -> Result<Manifest, StoreError> {
        let damaged = |what| StoreError::ManifestDamaged { id: id.clone(), what };
        let text = match self.objects().find(&layout::manifest(id)).await {
            Err(error) if self.objects().is_unreadable(&error) => {
                return Err(damaged(error.cannot_be_read()));
            }
            found => found?.ok_or_else(|| StoreError::NoSuchBackup(id.clone()))?,
        };
        let mut manifest = parse_manifest(&text).map_err(damaged)?;
        if !manifest.profile.is_read() {
            match self.read_profile(&mut manifest.profile).await {
                // One backup that cannot be read must not hide the others.
                Err(error) if error.is_about_a_chunk() || self.objects().is_unreadable(&error) => {
                    return Err(damaged(format!("its profile cannot be read: {error}")));
                }
                read => read?,
            }
            manifest.check().map_err(damaged)?;
        }
        if manifest.backup_id != *id {
            return Err(damaged(format!("it is that of backup {}", manifest.backup_id)));
        }
        Ok(manifest)
    }

    /// Makes a backup of chunks that are stored already: this is the moment from which it exists.
    /// The caller shares [`crate::store::Lock::Objects`] since before it made its writer, has
    /// [confirmed](Self::confirm) what was written and [claimed](Self::claim) the id.
    ///
    /// # Errors
    /// [`StoreError::IdTaken`] if there is a backup with this id; it and its state are as they were.
    pub async fn publish(&self, manifest: &Manifest, state: &State) -> Result<(), StoreError> {
        let id = &manifest.backup_id;
        self.forget_state_of_deleted(id).await?;
        let text = Bytes::from(seal(manifest));
        match self.objects().create(&layout::manifest(id), text.clone()).await {
            // By this very manifest, perhaps: a request that took effect may be answered with an error, and
            // is then sent again. The number is in no other manifest.
            Err(error) if error.is_taken() => {
                let there = self.objects().find(&layout::manifest(id)).await?;
                there
                    .filter(|there| *there == text)
                    .ok_or_else(|| StoreError::IdTaken(id.clone()))?;
            }
            Err(error) => self.publish_again(id, &text, error).await?,
            Ok(()) => {}
        }
        if *state == State::default() {
            return Ok(());
        }
        // Somebody may have changed it already: then that holds.
        let (alone, path) = (self.alone().await?, layout::state(id));
        let written = self.swap(&alone, &path, |there| {
            let write = || Swap::Write(seal(state).into());
            Ok((there.map_or_else(write, |_| Swap::Keep), ()))
        });
        let written = written.await;
        alone.release().await;
        written
    }

    /// Writes a damaged manifest again in its place, and a state that is damaged, too. `held` is the shared
    /// [`crate::store::Lock::Objects`]; the chunks are there, and the manifest is that of the same backup.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`]; if the object store fails.
    pub async fn publish_again_in_place(
        &self,
        held: &Held,
        manifest: &Manifest,
        state: &State,
    ) -> Result<(), StoreError> {
        held.check().await?;
        let id = &manifest.backup_id;
        self.objects().put(&layout::manifest(id), seal(manifest).into()).await?;
        self.change_state_or_begin(id, state, |_| {}).await.map(drop)
    }

    /// Removes the state that a killed deletion left: it was that of another backup, or of this one
    /// in an earlier life.
    async fn forget_state_of_deleted(&self, id: &BackupId) -> Result<(), StoreError> {
        // Seldom there, so that no lock is taken in vain.
        if self.objects().meta(&layout::state(id)).await?.is_none() {
            return Ok(());
        }
        let alone = self.alone().await?;
        if !self.is_published(id).await? {
            let nothing = seal(&State::default()).into();
            self.objects().clear(&layout::state(id), nothing).await?;
        }
        alone.release().await;
        Ok(())
    }

    /// A backup's state; one that was never written is the default.
    ///
    /// # Errors
    /// [`StoreError::StateDamaged`] if it cannot be understood.
    pub async fn state(&self, id: &BackupId) -> Result<State, StoreError> {
        let damaged = |what| StoreError::StateDamaged { id: id.clone(), what };
        match self.objects().find(&layout::state(id)).await {
            Err(error) if self.objects().is_unreadable(&error) => {
                Err(damaged(error.cannot_be_read()))
            }
            found => found?.map_or_else(|| Ok(State::default()), |text| understood(id, &Ok(text))),
        }
    }

    /// Changes a backup's state: what others change meanwhile, in whatever process, is not lost.
    /// `change` may be called several times.
    ///
    /// # Errors
    /// As [`Self::state`]; [`StoreError::NoSuchBackup`]; if the object store fails. It is then as it was.
    pub async fn change_state(
        &self,
        id: &BackupId,
        change: impl FnMut(&mut State) + Send,
    ) -> Result<State, StoreError> {
        self.change_state_from(id, None, change).await
    }

    /// As [`Self::change_state`]; but a state that is damaged is begun anew from `anew`.
    ///
    /// # Errors
    /// As [`Self::change_state`], but for damage.
    pub async fn change_state_or_begin(
        &self,
        id: &BackupId,
        anew: &State,
        change: impl FnMut(&mut State) + Send,
    ) -> Result<State, StoreError> {
        self.change_state_from(id, Some(anew), change).await
    }

    async fn change_state_from(
        &self,
        id: &BackupId,
        anew: Option<&State>,
        mut change: impl FnMut(&mut State) + Send,
    ) -> Result<State, StoreError> {
        let alone = self.alone().await?;
        let changed = self.change_state_alone(&alone, id, anew, &mut change).await;
        alone.release().await;
        changed
    }

    async fn change_state_alone(
        &self,
        alone: &Alone<'_>,
        id: &BackupId,
        anew: Option<&State>,
        change: &mut (impl FnMut(&mut State) + Send),
    ) -> Result<State, StoreError> {
        // Deleted meanwhile, perhaps; its state is not to come back.
        let gone = || StoreError::NoSuchBackup(id.clone());
        if !self.is_published(id).await? {
            return Err(gone());
        }
        let (state, written) = self
            .swap(alone, &layout::state(id), |text| {
                let before = text.as_ref().map_or_else(
                    || Ok(State::default()),
                    |read| understood(id, read).or_else(|error| anew.cloned().ok_or(error)),
                )?;
                let damaged = text.is_some_and(|read| understood(id, &read).is_err());
                let mut state = before.clone();
                change(&mut state);
                let write = damaged || state != before;
                let swap = if write { Swap::Write(seal(&state).into()) } else { Swap::Keep };
                Ok((swap, (state, write)))
            })
            .await?;
        // Where no lock keeps a deletion away.
        if written && self.objects().folder.is_none() && !self.is_published(id).await? {
            self.objects().clear(&layout::state(id), seal(&State::default()).into()).await?;
            return Err(gone());
        }
        Ok(state)
    }

    /// Takes a backup away: its manifest first, from which moment it no longer exists. What only it
    /// needed goes with the next sweep. Needs no space on the disk.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBackup`] if it is not there.
    pub async fn unlink(&self, id: &BackupId) -> Result<(), StoreError> {
        let alone = self.alone().await?;
        let unlinked = self.unlink_now(&alone, id).await;
        alone.release().await;
        unlinked
    }

    /// As [`Self::unlink`], unless the backup is pinned or its state cannot be read, which may say
    /// so; tells whether it went. Nobody can pin it between the two.
    ///
    /// # Errors
    /// As [`Self::unlink`].
    pub async fn unlink_unpinned(&self, id: &BackupId) -> Result<bool, StoreError> {
        let alone = self.alone().await?;
        let goes = self.state(id).await.is_ok_and(|state| !state.pinned);
        let unlinked = if goes { self.unlink_now(&alone, id).await } else { Ok(()) };
        alone.release().await;
        unlinked.map(|()| goes)
    }

    async fn unlink_now(&self, _: &Alone<'_>, id: &BackupId) -> Result<(), StoreError> {
        if !self.is_published(id).await? {
            return Err(StoreError::NoSuchBackup(id.clone()));
        }
        // Gone for good before its packs may go.
        match self.objects().remove(&layout::manifest(id)).await {
            Err(error) if error.is_refused() && self.objects().folder.is_none() => {
                let (what, source) = (format!("backup {id}"), Box::new(error));
                return Err(StoreError::NotRemovable { what, source });
            }
            removed => removed?,
        }
        self.objects().remove(&layout::state(id)).await?;
        if let Some(folder) = &self.objects().folder {
            // Whatever else lies there is not ours, and keeps the folder.
            let _ = std::fs::remove_dir(folder.join(id.as_str()));
        }
        Ok(())
    }
}

fn understood(id: &BackupId, read: &Read) -> Result<State, StoreError> {
    let state = read.clone().and_then(|text| parse_state(&text));
    state.map_err(|what| StoreError::StateDamaged { id: id.clone(), what })
}
