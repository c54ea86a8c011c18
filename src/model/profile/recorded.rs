//! Which profile a manifest was made with.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Profile;
use crate::model::ChunkId;

/// The profile of a backup: named by the chunk that holds it, and there once that was read. A manifest
/// that names none means the built-in one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Option<ChunkId>", into = "Option<ChunkId>")]
pub struct RecordedProfile {
    chunk: Option<ChunkId>,
    profile: Option<Arc<Profile>>,
}

impl RecordedProfile {
    /// The chunk that holds it; none in what earlier programs wrote.
    #[must_use]
    pub fn chunk(&self) -> Option<ChunkId> {
        self.chunk
    }

    /// The profile, if it was read.
    #[must_use]
    pub fn get(&self) -> Option<&Arc<Profile>> {
        self.profile.as_ref()
    }

    /// Whether it was read.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.profile.is_some()
    }

    /// Takes this profile for the one that is named, if it is that one.
    pub fn accept(&mut self, profile: &Arc<Profile>) {
        if !self.is_read() && self.chunk == Some(profile.id()) {
            self.profile = Some(profile.clone());
        }
    }

    pub(in crate::model) fn is_implied(&self) -> bool {
        self.chunk.is_none()
    }
}

impl Default for RecordedProfile {
    fn default() -> Self {
        Self { chunk: None, profile: Some(Profile::builtin().clone()) }
    }
}

impl From<&Arc<Profile>> for RecordedProfile {
    fn from(profile: &Arc<Profile>) -> Self {
        Self { chunk: Some(profile.id()), profile: Some(profile.clone()) }
    }
}

impl From<Option<ChunkId>> for RecordedProfile {
    fn from(chunk: Option<ChunkId>) -> Self {
        let is_builtin = chunk.is_none_or(|chunk| chunk == Profile::builtin_id());
        Self { chunk, profile: is_builtin.then(|| Profile::builtin().clone()) }
    }
}

impl From<RecordedProfile> for Option<ChunkId> {
    fn from(recorded: RecordedProfile) -> Self {
        recorded.chunk
    }
}

impl PartialEq for RecordedProfile {
    fn eq(&self, other: &Self) -> bool {
        self.chunk == other.chunk
    }
}

impl Eq for RecordedProfile {}
