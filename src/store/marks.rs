//! Two small notes on the store's own condition: damaged chunks, and packs that are to go.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::objects::Objects;
use super::{StoreError, layout};
use crate::model::{ChunkId, PackId};

/// `damaged.json`: copies of chunks that must not be relied on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damaged {
    /// For each pack the chunks in it that are not what they should be.
    pub packs: BTreeMap<PackId, BTreeSet<ChunkId>>,
}

impl Damaged {
    /// Whether this copy is set aside.
    pub fn has(&self, pack: &PackId, chunk: &ChunkId) -> bool {
        self.packs.get(pack).is_some_and(|chunks| chunks.contains(chunk))
    }
}

/// `doomed.json`: packs that nothing reached, and since when that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doomed {
    /// The packs.
    pub packs: BTreeMap<PackId, DateTime<Utc>>,
}

/// A value as the text of a file.
pub fn json<T: Serialize>(value: &T) -> Bytes {
    let text = serde_json::to_vec_pretty(value);
    text.expect("what a store keeps is plain data").into()
}

/// A note that is missing or cannot be read says nothing. For both that is the safe side: a damaged
/// copy fails its hash again, and a doomed pack starts its time of grace anew.
pub async fn load<T: DeserializeOwned + Default>(
    objects: &Objects,
    name: &str,
) -> Result<T, StoreError> {
    let bytes = match objects.find(&name.into()).await {
        Err(error) if objects.is_unreadable(&error) => {
            tracing::warn!("{name} is ignored: {}", error.cannot_be_read());
            return Ok(T::default());
        }
        found => found?,
    };
    let Some(bytes) = bytes else {
        return Ok(T::default());
    };
    Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
        tracing::warn!(%error, "{name} cannot be read and is ignored");
        T::default()
    }))
}

/// Writes a note if it differs from `before`; an empty one is removed, which needs no space.
pub async fn save<T: Serialize + Default + PartialEq>(
    objects: &Objects,
    name: &str,
    before: &T,
    note: &T,
) -> Result<(), StoreError> {
    if note == before {
        return Ok(());
    }
    if *note == T::default() {
        return objects.remove(&name.into()).await;
    }
    objects.put(&name.into(), json(note)).await
}

/// Takes packs that were just written off both notes: they are whole now, and in use. (The same
/// chunks make the same pack, so a new one can have the name of one that is noted.)
pub async fn renew(objects: &Objects, written: &[PackId]) -> Result<(), StoreError> {
    let before: Damaged = load(objects, layout::DAMAGED).await?;
    let mut damaged = before.clone();
    damaged.packs.retain(|pack, _| !written.contains(pack));
    save(objects, layout::DAMAGED, &before, &damaged).await?;
    let before: Doomed = load(objects, layout::DOOMED).await?;
    let mut doomed = before.clone();
    doomed.packs.retain(|pack, _| !written.contains(pack));
    save(objects, layout::DOOMED, &before, &doomed).await
}
