//! `store.json`: what makes a place a store. Its facts also stand in each manifest, so that it can be
//! written again.

use std::collections::BTreeSet;

use crate::model::{BackupId, FORMAT_VERSION, Parameters, Unsealed, seal};
use crate::store::backend::objects::Objects;
use crate::store::backups::manifests;
use crate::store::{StoreError, layout, parse};
use crate::tree::split;

/// What was found in the place of `store.json`.
pub enum Read {
    /// It is as it was written.
    Whole(Unsealed<Parameters>),
    /// It is lost or damaged; what it held, by the manifests, and a sentence on what is wrong.
    Recovered(Parameters, String),
    /// It is lost, and nothing says what it held.
    Lost,
    /// There is no store.
    Nothing,
}

/// The parameters of a new store.
pub fn new() -> Parameters {
    Parameters {
        format: FORMAT_VERSION,
        store_id: uuid::Uuid::new_v4().to_string(),
        required_features: Vec::new(),
        leaf_factor: split::LEAF_FACTOR,
        node_factor: split::NODE_FACTOR,
    }
}

/// Reads `store.json`, or what the manifests say of it if that is not to be had.
///
/// # Errors
/// [`StoreError::Parameters`] if this program cannot use the store; [`StoreError::ParametersDamaged`]
/// if nothing says what it held; if the object store fails.
pub async fn read(objects: &Objects) -> Result<Read, StoreError> {
    let fault = match objects.find(&layout::STORE.into()).await {
        Ok(Some(text)) => match parse::store(&text) {
            Ok(whole) => return Ok(Read::Whole(whole)),
            Err(error @ StoreError::Parameters(_)) => return Err(error),
            Err(error) => Some(error),
        },
        Ok(None) => None,
        // It is there, but cannot be read: as good as damaged.
        Err(error) if objects.is_unreadable(&error) => {
            let folder = objects.folder.as_deref();
            let place = folder.map_or_else(String::new, |it| format!(" (in {})", it.display()));
            Some(StoreError::ParametersDamaged(error.cannot_be_read() + &place))
        }
        Err(error) => return Err(error),
    };
    let why =
        fault.as_ref().map_or_else(|| format!("{} is missing", layout::STORE), ToString::to_string);
    if let Some(parameters) = recover(objects).await? {
        return Ok(Read::Recovered(parameters, why));
    }
    match fault {
        Some(fault) => Err(fault),
        None if objects.list(layout::PACKS).await?.is_empty() => Ok(Read::Nothing),
        None => Ok(Read::Lost),
    }
}

/// What the manifests say that `store.json` held. Those of earlier programs say nothing: then it held
/// what these programs always wrote, but for the store's own name.
async fn recover(objects: &Objects) -> Result<Option<Parameters>, StoreError> {
    let (mut facts, mut readable) = (BTreeSet::new(), false);
    for name in objects.folders().await? {
        let Ok(id) = name.parse::<BackupId>() else { continue };
        let Ok(Some(text)) = objects.find(&layout::manifest(&id)).await else { continue };
        let Ok(manifest) = manifests::parse_manifest(&text) else { continue };
        readable = true;
        facts.extend(manifest.store);
    }
    if facts.len() > 1 {
        let what = format!("{} manifests say different things of what it held", facts.len());
        return Err(StoreError::ParametersDamaged(what));
    }
    let parameters = facts.pop_first().map(Parameters::from);
    let parameters = parameters.or_else(|| readable.then(new));
    if let Some(parameters) = &parameters {
        parse::check_parameters(parameters, true)?;
    }
    Ok(parameters)
}

/// Writes `store.json` in the place of one that is lost, damaged, or without a checksum.
pub async fn write_again(objects: &Objects, parameters: &Parameters) -> Result<(), StoreError> {
    objects.put(&layout::STORE.into(), seal(parameters).into()).await
}
