//! Examination of the place of a store.

use crate::engine::EngineError;
use crate::store::{Checked, Store};

/// Asks what the bucket or folder at this place can do, whether or not it holds a store.
///
/// # Errors
/// If the place makes no sense, is not there, or can be neither written nor listed.
pub async fn check_store(place: &str) -> Result<Checked, EngineError> {
    Ok(Store::examine(&place.parse()?).await?)
}
