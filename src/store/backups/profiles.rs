//! The profiles that backups were made with, each a chunk.

use std::sync::Arc;

use crate::model::{Profile, RecordedProfile};
use crate::store::{Store, StoreError};
use crate::threads::locked;
use crate::tree::{ChunkSource, Malformed};

impl Store {
    /// The same store, which knows this profile without reading it.
    #[must_use]
    pub fn with_profile(self, profile: Arc<Profile>) -> Self {
        locked(&self.0.profiles).insert(profile.id(), profile);
        self
    }

    /// Reads the profile that a manifest names.
    ///
    /// # Errors
    /// If its chunk is missing or damaged, or the object store fails.
    pub(in crate::store) async fn read_profile(
        &self,
        recorded: &mut RecordedProfile,
    ) -> Result<(), StoreError> {
        let Some(id) = recorded.chunk() else { return Ok(()) };
        let known = locked(&self.0.profiles).get(&id).cloned();
        let profile = if let Some(profile) = known {
            profile
        } else {
            let reader = self.reader().await?;
            let bytes = self.blocking(move || reader.chunk(&id)).await?;
            let malformed = |_| Malformed { id, what: "it is no profile" };
            Arc::new(Profile::from_bytes(&bytes).map_err(malformed)?)
        };
        recorded.accept(&profile);
        if !recorded.is_read() {
            return Err(Malformed { id, what: "it is a profile of a later version" }.into());
        }
        locked(&self.0.profiles).insert(id, profile);
        Ok(())
    }
}
