//! What a restore would change, found out without changing anything.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::diff::{Compared, collect};
use super::restore::RestoreOptions;
use super::results::{RestoreResults, by_dataset};
use super::{DatasetCounts, Engine, EngineError, Phase, RowChange, Run};
use crate::model::{BackupId, Dataset};
use crate::postgres::{Apply, existing_tables};

/// What a restore would do. Counts are what it would do to the live rows.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Preview {
    /// Always `success`.
    pub status: &'static str,
    /// The backup.
    pub backup_id: BackupId,
    /// What would be done, by dataset.
    pub datasets: BTreeMap<Dataset, RestoreResults>,
    /// Of the rows to be updated, those of which only the time of the last touch would change.
    pub touched: u64,
    /// The rows that differ between live and the backup. For a part of a restore these are all
    /// rows that differ, also those that would stay.
    pub changes: Vec<RowChange>,
    /// Whether there are more changes than are listed.
    pub truncated: bool,
}

impl Preview {
    /// Whether the restore would change nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.datasets.values().all(RestoreResults::is_zero)
    }
}

impl Engine {
    /// What a restore with these options would change; lists at most `limit` rows of each dataset.
    ///
    /// # Errors
    /// As a restore, as far as it would get before it writes. Damage is only found in what the
    /// comparison reads.
    pub async fn preview(
        &self,
        id: &BackupId,
        options: &RestoreOptions,
        limit: usize,
        run: &Run,
    ) -> Result<Preview, EngineError> {
        let manifest = self.store.manifest(id).await?;
        let store = self.store.reader().await?;
        let mut session = self.connect(run).await?;
        let tables = existing_tables(&mut session).await?;
        let schema = self.fitting_schema(&mut session, &tables, &manifest).await?;
        session.begin_scratch_snapshot(&tables).await?;
        let mut second = self.sharing(&mut session, run).await?;
        let readers = &mut [&mut session, &mut second];
        let passing = self.capture_aside(readers, schema.clone(), &store, run).await?;
        second.rollback().await?;
        let (live, target) = (Compared::from(passing), Compared::backup(manifest, store));
        run.begin(Phase::Comparing, None);
        let found = collect(schema.clone(), live.side.clone(), target.side.clone(), limit).await?;
        let changes = if options.selection.is_all() {
            found.datasets.iter().map(|(dataset, counts)| (*dataset, counts.into())).collect()
        } else {
            self.stage_changes(&mut session, &schema, &live.side, &target.side).await?;
            let mut apply = Apply::new(&mut session, &schema);
            apply.select(&options.selection).await?;
            by_dataset(&apply.staged().await?)
        };
        session.rollback().await?;
        let unchanged = RestoreResults::unchanged(&live.side.parts);
        run.begin(Phase::Done, None);
        Ok(Preview {
            status: "success",
            backup_id: id.clone(),
            datasets: RestoreResults::over(&unchanged, &changes),
            touched: found.datasets.values().map(|counts: &DatasetCounts| counts.touched).sum(),
            changes: found.changes,
            truncated: found.truncated,
        })
    }
}
