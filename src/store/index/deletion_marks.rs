//! Two small notes on the store's own condition: damaged chunks, and packs that are to go.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::{ChunkId, PackId, seal, unseal};
use crate::store::backend::objects::Objects;
use crate::store::{StoreError, layout};

/// `damaged.json`: copies of chunks that must not be relied on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Damaged {
    /// For each pack the chunks in it that are not what they should be. None of them, where something
    /// else of the pack is wrong: the next sweep writes what is needed of it anew.
    pub packs: BTreeMap<PackId, BTreeSet<ChunkId>>,
}

impl Damaged {
    /// Returns whether this copy is set aside.
    pub fn has(&self, pack: &PackId, chunk: &ChunkId) -> bool {
        self.packs.get(pack).is_some_and(|chunks| chunks.contains(chunk))
    }

    /// Notes what reading this copy has shown.
    pub fn judge(&mut self, pack: PackId, chunk: ChunkId, right: bool) {
        if !right {
            self.packs.entry(pack).or_default().insert(chunk);
        } else if let Some(chunks) = self.packs.get_mut(&pack)
            && chunks.remove(&chunk)
            && chunks.is_empty()
        {
            self.packs.remove(&pack);
        }
    }
}

/// `doomed.json`: packs that nothing reached, and since when that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkedPacks {
    pub packs: BTreeMap<PackId, DateTime<Utc>>,
}

/// A note that is missing or cannot be used says nothing. For both that is the safe side: a damaged
/// copy fails its hash again, and a marked pack starts its time of grace anew.
pub async fn load<T: DeserializeOwned + Default>(
    objects: &Objects,
    name: &str,
) -> Result<T, StoreError> {
    let bytes = match objects.find(&name.into()).await {
        Err(error) if objects.is_unreadable(&error) => {
            tracing::warn!("ignoring {name}: {}", error.cannot_be_read());
            return Ok(T::default());
        }
        found => found?,
    };
    let Some(bytes) = bytes else {
        return Ok(T::default());
    };
    Ok(unseal(&bytes).map_or_else(
        |error| {
            tracing::warn!(%error, "ignoring {name}: it cannot be used");
            T::default()
        },
        |note| note.value,
    ))
}

/// Returns what is wrong with the notes, a sentence for each. A note that cannot be used is removed: it would
/// say nothing.
pub async fn repair(objects: &Objects) -> Result<Vec<String>, StoreError> {
    let damaged = fault::<Damaged>(objects, layout::DAMAGED).await?;
    let marked = fault::<MarkedPacks>(objects, layout::MARKED_PACKS).await?;
    let mut faults = Vec::new();
    for (name, fault) in [(layout::DAMAGED, damaged), (layout::MARKED_PACKS, marked)] {
        if let Some(fault) = fault {
            let removed = objects.remove(&name.into()).await;
            let removed = if removed.is_ok() { "removed" } else { "ignored" };
            faults.push(format!(
                "{name} is damaged: {fault}; no backup needs it, and it was {removed}"
            ));
        }
    }
    Ok(faults)
}

async fn fault<T: DeserializeOwned>(
    objects: &Objects,
    name: &str,
) -> Result<Option<String>, StoreError> {
    match objects.find(&name.into()).await {
        Err(error) if objects.is_unreadable(&error) => Ok(Some(error.cannot_be_read())),
        found => Ok(found?.and_then(|text| unseal::<T>(&text).err())),
    }
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
        return objects.clear(&name.into(), seal(note).into()).await;
    }
    objects.put(&name.into(), seal(note).into()).await
}
