//! Tells whether two stores are one, by whatever names.

use object_store::path::Path;

use crate::store::{Store, TransferError, layout};

impl Store {
    /// Returns whether the other store is this one by another name. A folder that was copied file by file
    /// has the same id and is another store: so an object is left in the other one and looked for in this.
    ///
    /// # Errors
    /// If the object cannot be written there, or not be looked for here.
    pub async fn is_same_as(&self, other: &Self) -> Result<bool, TransferError> {
        if self.parameters().store_id != other.parameters().store_id {
            return Ok(false);
        }
        let path = Path::from(format!("{}-{}", layout::TRIAL, uuid::Uuid::new_v4()));
        let left = other.objects().put(&path, "may be removed\n".into()).await;
        left.map_err(TransferError::Target)?;
        let found = self.objects().meta(&path).await.map_err(TransferError::Source);
        if other.objects().may_remove()
            && let Err(error) = other.objects().remove(&path).await
        {
            tracing::debug!(%error, "could not remove {path}");
        }
        Ok(found?.is_some())
    }
}
