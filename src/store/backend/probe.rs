//! Finds out what an object store can do: once for each server, kept in `abilities.json`.

use std::collections::BTreeMap;

use chrono::Utc;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{rfc3339, seal, unseal};
use crate::store::backend::abilities::{Abilities, Condition};
use crate::store::backend::objects::Objects;
use crate::store::{StoreError, layout};

const TEXT: &str = "may be removed\n";

/// `abilities.json`: what each server that holds this store was found to do.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    servers: BTreeMap<String, Abilities>,
}

/// Takes over what is recorded of this server.
///
/// # Errors
/// If the object store fails.
pub async fn recall(objects: &Objects, server: &str) -> Result<Option<Abilities>, StoreError> {
    let known = record(objects).await?.servers.remove(server);
    if let Some(abilities) = &known {
        objects.learn(abilities);
    }
    Ok(known)
}

/// Finds out what this server does, and records it with the store.
///
/// # Errors
/// If the object store fails.
pub async fn find_out(objects: &Objects, server: &str) -> Result<Abilities, StoreError> {
    let found = ask(objects).await?;
    objects.learn(&found);
    let mut record = record(objects).await?;
    record.servers.insert(server.to_owned(), found.clone());
    objects.put(&layout::ABILITIES.into(), seal(&record).into()).await?;
    Ok(found)
}

async fn record(objects: &Objects) -> Result<Record, StoreError> {
    let text = objects.find(&layout::ABILITIES.into()).await?;
    // One that is damaged says nothing: what it said is found out again.
    let read = |text: &[u8]| unseal::<Record>(text).ok().map(|record| record.value);
    Ok(text.and_then(|text| read(&text)).unwrap_or_default())
}

/// Writes a small object under several conditions, and removes it.
///
/// # Errors
/// If the object store can be neither written nor listed.
pub async fn ask(objects: &Objects) -> Result<Abilities, StoreError> {
    let path = Path::from(format!("{}/conditions/{}", layout::LOCKS, Uuid::new_v4()));
    objects.put(&path, TEXT.into()).await?;
    let listed = objects.list(&format!("{}/conditions", layout::LOCKS)).await?;
    let list_after_write = listed.iter().any(|meta| meta.location == path);
    let conditional_create = judge(objects.put_if_none(&path, TEXT.into()).await)?;
    let conditional_replace = replacement(objects, &path).await?;
    let remove = match objects.remove(&path).await {
        Err(error) if error.is_refused() => false,
        removed => removed.map(|()| true)?,
    };
    let checked_at = rfc3339(Utc::now());
    Ok(Abilities { conditional_create, conditional_replace, remove, list_after_write, checked_at })
}

/// Replaces an object by the version that it has, and by one that it no longer has.
async fn replacement(objects: &Objects, path: &Path) -> Result<Condition, StoreError> {
    let Some((_, version)) = objects.find_version(path).await? else {
        return Ok(Condition::Ignored);
    };
    if version.e_tag.is_none() {
        return Ok(Condition::Refused);
    }
    let right = objects.put_if_match(path, "another text\n".into(), version.clone()).await;
    match right {
        Ok(()) => judge(objects.put_if_match(path, TEXT.into(), version).await),
        // A condition that holds, and is taken for one that does not: as good as refused.
        Err(error) if error.is_refused() || error.is_taken() => Ok(Condition::Refused),
        Err(error) => Err(error),
    }
}

fn judge(written: Result<(), StoreError>) -> Result<Condition, StoreError> {
    match written {
        Ok(()) => Ok(Condition::Ignored),
        Err(error) if error.is_taken() => Ok(Condition::Honoured),
        Err(error) if error.is_refused() => Ok(Condition::Refused),
        Err(error) => Err(error),
    }
}
