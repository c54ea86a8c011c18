//! The sizes of the dataset files. A file is made on the way out, so its size is measured once, by
//! writing it to nowhere, and kept with the backup's state.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;

use crate::engine::download::Out;
use crate::engine::{Engine, EngineError, Run};
use crate::model::{BackupId, Dataset, Manifest, State};
use crate::threads::locked;

/// Bytes of each dataset's file, by the name of the dataset.
pub type FileSizes = BTreeMap<String, u64>;

impl Engine {
    /// The sizes of the files of a backup, if they are known or can be measured within this time. What
    /// takes longer goes on in the background.
    pub(in crate::engine) async fn file_sizes(
        &self,
        manifest: &Manifest,
        state: &State,
        patience: Duration,
    ) -> Option<FileSizes> {
        if let Some(sizes) = &state.file_sizes {
            return Some(sizes.clone());
        }
        if !locked(&self.measuring).insert(manifest.backup_id.clone()) {
            return None;
        }
        let (engine, manifest) = (self.clone(), manifest.clone());
        let measuring = tokio::spawn(async move {
            let id = manifest.backup_id.clone();
            let sizes = engine.measure_files(manifest).await;
            let sizes = sizes.inspect_err(|error| tracing::debug!("files of {id}: {error}")).ok();
            if let Some(sizes) = &sizes {
                engine.note_sizes(&id, sizes).await;
            }
            locked(&engine.measuring).remove(&id);
            sizes
        });
        timeout(patience, measuring).await.ok()?.ok()?
    }

    async fn measure_files(&self, manifest: Manifest) -> Result<FileSizes, EngineError> {
        let datasets = manifest.all_datasets();
        let rows = self.exportable(manifest, &datasets, &Run::new()).await?;
        let measured = crate::threads::spawn(move || {
            let referred = rows.referred(&datasets)?;
            let size = |dataset: &Dataset| {
                let bytes = Out::count(None, |out| rows.write(dataset, &referred, out))?;
                Ok((dataset.to_string(), bytes))
            };
            datasets.iter().map(size).collect()
        });
        measured.await.expect("measuring does not panic")
    }

    /// A store that cannot be written costs only the time to measure again.
    async fn note_sizes(&self, id: &BackupId, sizes: &FileSizes) {
        let noted = self.store.change_state(id, |state| state.file_sizes = Some(sizes.clone()));
        if let Err(error) = noted.await {
            tracing::debug!("could not note the sizes of the files of {id}: {error}");
        }
    }
}
