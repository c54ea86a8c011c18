//! Whether an object store honours conditions on writes (`If-None-Match`, `If-Match`).
//!
//! Where it does not, the program says so: it can then only look before it writes.

use object_store::path::Path;
use uuid::Uuid;

use crate::store::backend::objects::Objects;
use crate::store::{Store, StoreError, layout};

impl Store {
    /// Whether the object store refuses a write whose condition does not hold; asked once for each
    /// store that is opened. A folder has locks of its own.
    ///
    /// # Errors
    /// If the object store fails.
    pub async fn honours_conditions(&self) -> Result<bool, StoreError> {
        if self.objects().folder.is_some() {
            return Ok(true);
        }
        let asked = self.0.conditions.get_or_try_init(|| ask(self.objects())).await;
        asked.copied()
    }
}

async fn ask(objects: &Objects) -> Result<bool, StoreError> {
    let path = Path::from(format!("{}/conditions/{}", layout::LOCKS, Uuid::new_v4()));
    objects.put(&path, "may be removed\n".into()).await?;
    let again = objects.put_if_none(&path, "may be removed\n".into()).await;
    objects.remove(&path).await?;
    match again {
        Err(error) if error.is_taken() => Ok(true),
        Err(error) if !error.is_not_implemented() => Err(error),
        _ => {
            tracing::warn!(
                "the object store ignores conditions on writes (If-None-Match): two hosts must not back up \
                 or annotate at the same moment"
            );
            Ok(false)
        }
    }
}
