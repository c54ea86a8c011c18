//! The parsers of everything that a store holds, as plain functions over bytes: nothing that they
//! are given makes them panic or reserve more memory than the bytes and the format allow.

use super::StoreError;
pub use super::frame::{Codec, Fault, Frame};
pub use super::index_file::{PackEntries, parse as index};
pub use super::manifests::parse_manifest as manifest;
pub use super::pack::{Entry, Footer, parse_footer, scan};
use crate::model::{FORMAT_VERSION, Parameters};

/// Reads `store.json`.
///
/// # Errors
/// [`StoreError::Parameters`] if it cannot be understood, has another version, or requires a
/// feature that this program lacks.
pub fn store(bytes: &[u8]) -> Result<Parameters, StoreError> {
    let parsed: Result<Parameters, _> = serde_json::from_slice(bytes);
    let parameters = parsed.map_err(|error| StoreError::Parameters(error.to_string()))?;
    let refuse = |what| Err(StoreError::Parameters(what));
    if parameters.format != FORMAT_VERSION {
        let format = parameters.format;
        return refuse(format!("it has format {format}, this program knows {FORMAT_VERSION}"));
    }
    if let Some(feature) = parameters.required_features.first() {
        return refuse(format!("it requires the feature {feature:?}, which this program lacks"));
    }
    if parameters.leaf_factor == 0 || parameters.node_factor == 0 {
        return refuse("a splitter's factor is zero".into());
    }
    Ok(parameters)
}

/// Decodes each frame of a pack that needs no base, as far as frames are found from the front.
#[must_use]
pub fn chunks(pack: &[u8]) -> Vec<Result<Vec<u8>, Fault>> {
    let frames = scan(pack).into_iter().filter(|entry| entry.base.is_none());
    frames.map(|entry| Frame::parse(&pack[entry.offset as usize..])?.0.decode(None)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_of_another_format_or_with_unknown_features_is_refused() {
        let text = |format: u32, features: &str| {
            format!(
                r#"{{"format":{format},"store_id":"x","required_features":[{features}],
                    "leaf_factor":1,"node_factor":1,"note":"unknown keys are fine"}}"#
            )
        };
        assert!(store(text(1, "").as_bytes()).is_ok());
        assert!(store(text(2, "").as_bytes()).is_err());
        assert!(store(text(1, r#""encryption""#).as_bytes()).is_err());
        assert!(store(b"{}").is_err());
    }
}
