//! How a dataset's file is laid out: data, in this one place.
//!
//! ```text
//! {"export_info": {"type": …, "timestamp": …, "count": n}, "vrfs": [
//! {row},
//! {row}
//! ]}
//! ```

use serde_json::{Map, Value};

use crate::model::{Dataset, Manifest};

/// The key of a row that names the columns which hold the JSON value `null`. Without it, `null` is
/// a value that is not there.
pub const JSON_NULLS: &str = "json_nulls";

/// The file's head.
pub fn export_info(manifest: &Manifest, dataset: &Dataset) -> Value {
    let profile = manifest.profile();
    let mut info = Map::new();
    let type_name = profile.file_stem(dataset).unwrap_or_else(|| dataset.name());
    info.insert("type".into(), type_name.into());
    info.insert("timestamp".into(), manifest.timestamp.clone().into());
    for part in profile.parts_of_dataset(dataset) {
        if let Some(count) = &part.count {
            let rows = manifest.part(&part.name).map_or(0, |part| part.rows);
            info.insert(count.clone(), rows.into());
        }
    }
    info.into()
}
