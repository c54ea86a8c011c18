//! What the product talks about: ids, datasets, manifests. Pure values, no I/O.

mod age;
mod annotation;
mod capture_info;
mod check;
mod counts;
mod coverage;
mod drift;
mod hash;
mod id;
mod ids;
mod manifest;
mod network;
mod profile;
mod read_point;
mod retention;
mod schema;
mod sealed;
mod source;
mod text;

pub use age::{Age, MalformedAge};
pub use annotation::{check_author, check_description, check_label};
pub use capture_info::{CaptureInfo, CaptureMode};
pub use counts::RowCounts;
pub use coverage::NOT_COVERED;
pub use drift::Common;
pub use hash::{ChunkId, Fingerprint, Hash, HashParseError, PackId};
pub use id::{BackupId, MalformedId};
pub use ids::{Claimed, Ids, Unrecorded};
pub use manifest::{
    BackupKind, DatasetSummary, FORMAT_VERSION, Manifest, Origin, Parameters, PartManifest,
    RemovedRows, SequenceValue, SnapshotInfo, State, Status, StoreFacts, Verification, rfc3339,
    timestamp,
};
pub use network::Network;
pub use profile::{
    Belongs, Beside, Dataset, NetworkTree, Part, PerDataset, Profile, ProfileDataset, ProfileTable,
    RecordTable, RecordedProfile, Referred, Scope, UnknownDataset, Within,
};
pub use read_point::{ReadPoint, TablePoint};
pub use retention::{Candidate, Decision, Pin, Policy, Reason};
pub use schema::{
    Column, ForeignKey, Identity, KeyColumn, KeyKind, MissingTable, NOT_THERE, Schema, Table,
    Trigger,
};
pub use sealed::{Unsealed, check_seal, seal, unseal};
pub use source::{Sameness, Source};
pub use text::{is_hidden, visible, visible_json, visible_lines};
