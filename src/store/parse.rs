//! The parsers of everything that a store holds, as plain functions over bytes: nothing that they
//! are given makes them panic or reserve more memory than the bytes and the format allow.

use serde_json::{Map, Value};

use crate::model::{FORMAT_VERSION, Parameters, Unsealed, unseal};
use crate::store::StoreError;
pub use crate::store::backups::ids::parse as ids;
pub use crate::store::backups::manifests::{parse_manifest as manifest, parse_state as state};
pub use crate::store::format::frame::{Codec, Fault, Frame};
pub use crate::store::format::index_file::{PackEntries, parse as index};
pub use crate::store::format::pack::{Entry, Footer, parse_footer, scan};
use crate::tree::split;

/// The keys of a `store.json` that an earlier program wrote, without a checksum.
const UNSEALED_KEYS: [&str; 5] =
    ["format", "store_id", "required_features", "leaf_factor", "node_factor"];

/// Reads `store.json`.
///
/// # Errors
/// [`StoreError::ParametersDamaged`] if it is not what was written; [`StoreError::Parameters`] if it
/// has another version, or requires a feature that this program lacks.
pub fn store(bytes: &[u8]) -> Result<Unsealed<Parameters>, StoreError> {
    let object = unseal::<Map<String, Value>>(bytes).map_err(StoreError::ParametersDamaged)?;
    let known = |key: &String| UNSEALED_KEYS.contains(&key.as_str());
    if let Some(key) = object.value.keys().find(|key| !object.sealed && !known(key)) {
        return Err(StoreError::ParametersDamaged(format!(
            "it has no checksum, but a key {key:?}"
        )));
    }
    let parameters: Result<Parameters, _> = serde_json::from_value(object.value.into());
    let parameters =
        parameters.map_err(|error| StoreError::ParametersDamaged(error.to_string()))?;
    check_parameters(&parameters, object.sealed)?;
    Ok(Unsealed { value: parameters, sealed: object.sealed })
}

/// Whether this program can use a store with these parameters.
pub(in crate::store) fn check_parameters(
    parameters: &Parameters,
    sealed: bool,
) -> Result<(), StoreError> {
    let refuse = |what| Err(StoreError::Parameters(what));
    if parameters.format != FORMAT_VERSION {
        let format = parameters.format;
        return refuse(format!("it has format {format}, this program knows {FORMAT_VERSION}"));
    }
    if let Some(feature) = parameters.required_features.first() {
        return refuse(format!("it requires the feature {feature:?}, which this program lacks"));
    }
    let factors = (parameters.leaf_factor, parameters.node_factor);
    if factors.0 == 0 || factors.1 == 0 {
        return refuse("a splitter's factor is zero".into());
    }
    // All programs that wrote no checksum wrote these.
    if !sealed && factors != (split::LEAF_FACTOR, split::NODE_FACTOR) {
        let what = format!("it has no checksum, and factors that no program wrote: {factors:?}");
        return Err(StoreError::ParametersDamaged(what));
    }
    Ok(())
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

    use crate::model::seal;

    fn sealed(format: u32, features: &[&str]) -> Vec<u8> {
        seal(&serde_json::json!({
            "format": format, "store_id": "x", "required_features": features,
            "leaf_factor": 1, "node_factor": 1, "note": "unknown keys are fine with a checksum",
        }))
    }

    #[test]
    fn a_store_of_another_format_or_with_unknown_features_is_refused() {
        assert!(store(&sealed(1, &[])).is_ok());
        assert!(matches!(store(&sealed(2, &[])), Err(StoreError::Parameters(_))));
        assert!(matches!(store(&sealed(1, &["encryption"])), Err(StoreError::Parameters(_))));
        assert!(store(b"{}").is_err());
    }

    #[test]
    fn store_json_of_earlier_programs_is_read_and_its_flipped_bits_found_or_harmless() {
        let text = br#"{"format": 1, "store_id": "x", "required_features": [],
            "leaf_factor": 32, "node_factor": 2048}"#;
        let whole = store(text).expect("read").value;
        for bit in 0..text.len() * 8 {
            let mut flipped = text.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(read) = store(&flipped) {
                let named = Parameters { store_id: whole.store_id.clone(), ..read.value };
                assert_eq!(named, whole, "bit {bit}");
            }
        }
    }
}
