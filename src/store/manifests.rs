//! The folders of the backups: a manifest that never changes, and a state that may.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::{Store, StoreError, layout, marks};
use crate::model::{BackupId, FORMAT_VERSION, Hash, Manifest, State};

const KEY: &[u8] = b"\"checksum\": \"";

/// The manifest as a file: pretty JSON whose last key is the SHA-256 of the file's bytes, taken
/// with zeros in the place of its digits.
#[must_use]
pub fn manifest_text(manifest: &Manifest) -> Vec<u8> {
    let mut value = serde_json::to_value(manifest).expect("a manifest is plain data");
    value["checksum"] = "0".repeat(64).into();
    let mut text = serde_json::to_vec_pretty(&value).expect("a manifest is plain data");
    text.push(b'\n');
    let digits = digits(&text).expect("it was just put there");
    let checksum = Hash::of(&text).to_string();
    text[digits].copy_from_slice(checksum.as_bytes());
    text
}

/// Where the checksum's digits stand.
fn digits(text: &[u8]) -> Option<std::ops::Range<usize>> {
    let start = memchr::memmem::rfind(text, KEY)? + KEY.len();
    (text.len() >= start + 64).then_some(start..start + 64)
}

/// Reads a manifest.
///
/// # Errors
/// Says what is wrong with it: the checksum, the JSON, or the version.
pub fn parse_manifest(text: &[u8]) -> Result<Manifest, String> {
    let digits = digits(text).ok_or("it has no checksum")?;
    let mut zeroed = text.to_vec();
    zeroed[digits.clone()].fill(b'0');
    if Hash::of(&zeroed).to_string().as_bytes() != &text[digits] {
        return Err("its checksum is wrong".into());
    }
    let manifest: Manifest = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if manifest.format != FORMAT_VERSION {
        return Err(format!(
            "it has format {}, this program knows {FORMAT_VERSION}",
            manifest.format
        ));
    }
    Ok(manifest)
}

impl Store {
    /// The ids of all backups, oldest first: every folder with such a name and a manifest.
    ///
    /// # Errors
    /// If the object store fails.
    pub async fn backups(&self) -> Result<Vec<BackupId>, StoreError> {
        let folders = self.objects().folders().await?;
        let ids = folders.iter().filter_map(|name| name.parse::<BackupId>().ok());
        // Collected first: a stream of borrowing futures made on the fly is not known to be `Send`.
        let published: Vec<_> = ids.map(|id| self.if_published(id)).collect();
        let published: Vec<_> = stream::iter(published).buffered(32).try_collect().await?;
        let mut ids: Vec<_> = published.into_iter().flatten().collect();
        ids.sort();
        Ok(ids)
    }

    /// What `keep` takes from the manifest of each backup, oldest first, and what is wrong with those
    /// that cannot be read: one such does not hide the others. Several are read at a time, and none is
    /// held longer than `keep` needs it, so any number of backups can be gone through.
    ///
    /// # Errors
    /// If the object store fails.
    pub async fn manifests<T>(
        &self,
        mut keep: impl FnMut(Manifest) -> T,
    ) -> Result<(Vec<T>, Vec<String>), StoreError> {
        let folders = self.objects().folders().await?;
        let mut ids: Vec<BackupId> = folders.iter().filter_map(|name| name.parse().ok()).collect();
        ids.sort();
        // Collected first, as in `backups`.
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

    async fn if_published(&self, id: BackupId) -> Result<Option<BackupId>, StoreError> {
        Ok(self.is_published(&id).await?.then_some(id))
    }

    async fn is_published(&self, id: &BackupId) -> Result<bool, StoreError> {
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
        let manifest = parse_manifest(&text).map_err(damaged)?;
        if manifest.backup_id != *id {
            return Err(damaged(format!("it is that of backup {}", manifest.backup_id)));
        }
        Ok(manifest)
    }

    /// Makes a backup of chunks that are stored already: this is the moment from which it exists.
    /// The caller shares [`super::Lock::Objects`] since before it made its writer, and has
    /// [confirmed](Self::confirm) what was written.
    ///
    /// # Errors
    /// [`StoreError::IdTaken`] if there is a backup with this id.
    pub async fn publish(&self, manifest: &Manifest, state: &State) -> Result<(), StoreError> {
        let id = &manifest.backup_id;
        let text = Bytes::from(manifest_text(manifest));
        match self.objects().create(&layout::manifest(id), text.clone()).await {
            // By this very manifest, perhaps: a request that took effect may be answered with an error, and
            // is then sent again.
            Err(error) if error.is_taken() => {
                let there = self.objects().find(&layout::manifest(id)).await?;
                there
                    .filter(|there| *there == text)
                    .ok_or_else(|| StoreError::IdTaken(id.clone()))?;
            }
            created => created?,
        }
        if *state == State::default() { Ok(()) } else { self.save_state(id, state).await }
    }

    /// A backup's state; one that was never written is the default.
    ///
    /// # Errors
    /// [`StoreError::StateDamaged`] if it cannot be understood.
    pub async fn state(&self, id: &BackupId) -> Result<State, StoreError> {
        let damaged = |what| StoreError::StateDamaged { id: id.clone(), what };
        let text = match self.objects().find(&layout::state(id)).await {
            Err(error) if self.objects().is_unreadable(&error) => {
                return Err(damaged(error.cannot_be_read()));
            }
            found => found?,
        };
        let Some(text) = text else {
            return Ok(State::default());
        };
        serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))
    }

    /// Changes a backup's state: what others in this process change meanwhile is not lost.
    ///
    /// # Errors
    /// As [`Self::state`]; [`StoreError::NoSuchBackup`]; if the object store fails. It is then as it was.
    pub async fn change_state(
        &self,
        id: &BackupId,
        change: impl FnOnce(&mut State) + Send,
    ) -> Result<State, StoreError> {
        let _alone = self.0.states.lock().await;
        let before = self.state(id).await?;
        let mut state = before.clone();
        change(&mut state);
        if state != before {
            // Deleted meanwhile, perhaps; its state is not to come back.
            if !self.is_published(id).await? {
                return Err(StoreError::NoSuchBackup(id.clone()));
            }
            self.save_state(id, &state).await?;
        }
        Ok(state)
    }

    /// Replaces a backup's state, whole or not at all.
    ///
    /// # Errors
    /// If the object store fails.
    pub async fn save_state(&self, id: &BackupId, state: &State) -> Result<(), StoreError> {
        self.objects().put(&layout::state(id), marks::json(state)).await
    }

    /// Takes a backup away: its manifest first, from which moment it no longer exists. What only it
    /// needed goes with the next sweep. Needs no space on the disk.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBackup`] if it is not there.
    pub async fn unlink(&self, id: &BackupId) -> Result<(), StoreError> {
        if !self.is_published(id).await? {
            return Err(StoreError::NoSuchBackup(id.clone()));
        }
        // Gone for good before its packs may go.
        self.objects().remove(&layout::manifest(id)).await?;
        self.objects().remove(&layout::state(id)).await?;
        if let Some(folder) = &self.objects().folder {
            // Whatever else lies there is not ours, and keeps the folder.
            let _ = std::fs::remove_dir(folder.join(id.as_str()));
        }
        Ok(())
    }
}
