//! The small files on which everything else depends: whether they are what was written.

use crate::model::{Manifest, StoreFacts};
use crate::store::index::deletion_marks;
use crate::store::parameters::{self, Read};
use crate::store::{Store, StoreError, layout};

impl Store {
    /// Checks `store.json` and what the manifests say of it, the record of the ids, and the notes on
    /// packs; writes again what is lost or damaged. Returns a sentence for each fault.
    ///
    /// # Errors
    /// If the object store fails.
    pub async fn check_small_files(
        &self,
        manifests: &[Manifest],
    ) -> Result<Vec<String>, StoreError> {
        let mut faults = self.check_parameters().await?;
        let own = StoreFacts::from(self.parameters());
        let other = |manifest: &&Manifest| manifest.store.as_ref().is_some_and(|it| *it != own);
        faults.extend(manifests.iter().filter(other).map(|manifest| {
            let id = &manifest.backup_id;
            format!("the manifest of backup {id} and {} contradict each other", layout::STORE)
        }));
        faults.extend(deletion_marks::repair(self.objects()).await?);
        faults.extend(self.repair_ids().await?);
        Ok(faults)
    }

    async fn check_parameters(&self) -> Result<Vec<String>, StoreError> {
        let own = self.parameters();
        let why = match parameters::read(self.objects()).await {
            Ok(Read::Whole(found)) if found.value == *own => {
                if !found.sealed {
                    // What an earlier program wrote gets its checksum. A store that is only read
                    // does without.
                    let _ = parameters::write_again(self.objects(), own).await;
                }
                return Ok(Vec::new());
            }
            Ok(Read::Whole(_)) => {
                return Ok(vec![format!("{} is that of another store", layout::STORE)]);
            }
            Ok(Read::Recovered(_, why)) => why,
            Ok(Read::Lost | Read::Nothing) => format!("{} is missing", layout::STORE),
            Err(error @ StoreError::Parameters(_)) => return Ok(vec![error.to_string()]),
            Err(error @ StoreError::ParametersDamaged(_)) => error.to_string(),
            Err(error) => return Err(error),
        };
        Ok(vec![match parameters::write_again(self.objects(), own).await {
            Ok(()) => format!("{why}; it was written again"),
            Err(error) => format!("{why}; it could not be written again: {error}"),
        }])
    }
}
