//! Compare: which rows differ between two backups, or between a backup and the live database.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use tokio::task::spawn_blocking;

use super::compare::{Side, for_each_change};
use super::live::Passing;
use super::rows::Collected;
use super::{DatasetCounts, Engine, EngineError, Phase, RowChange, Run};
use crate::model::{BackupId, Dataset, Manifest, Schema};

/// One end of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Point {
    /// A backup.
    Backup(BackupId),
    /// The database as it is now.
    Live,
}

impl FromStr for Point {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "live" { Ok(Self::Live) } else { Ok(Self::Backup(text.parse()?)) }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backup(id) => id.fmt(f),
            Self::Live => f.write_str("live"),
        }
    }
}

/// What differs.
#[derive(Debug, Clone, Serialize)]
pub struct DiffReport {
    /// Always `success`.
    pub status: &'static str,
    /// The first point.
    pub from: String,
    /// The second point.
    pub to: String,
    /// Whether nothing differs.
    pub identical: bool,
    /// How many rows differ, by dataset.
    pub datasets: BTreeMap<Dataset, DatasetCounts>,
    /// The rows that differ, by part and key.
    pub changes: Vec<RowChange>,
    /// Whether there are more changes than are listed.
    pub truncated: bool,
}

/// A snapshot that can be compared.
pub(super) struct Compared {
    pub(super) side: Side,
    pub(super) schema: Schema,
}

impl Engine {
    /// Compares two points; lists at most `limit` changed rows of each dataset.
    ///
    /// # Errors
    /// If a point cannot be read, or their tables are not the same.
    pub async fn diff(
        &self,
        from: &Point,
        to: &Point,
        limit: usize,
        run: &Run,
    ) -> Result<DiffReport, EngineError> {
        let (old, new) = (self.compared(from, run).await?, self.compared(to, run).await?);
        let differences = old.schema.misfits(&new.schema);
        if !differences.is_empty() {
            let (from, to) = (from.to_string(), to.to_string());
            return Err(EngineError::Misfit { from, to, differences });
        }
        run.begin(Phase::Comparing, None);
        let found = collect(old.schema, old.side, new.side, limit).await?;
        run.begin(Phase::Done, None);
        Ok(DiffReport {
            status: "success",
            from: from.to_string(),
            to: to.to_string(),
            identical: found.datasets.values().all(DatasetCounts::is_zero),
            datasets: found.datasets,
            changes: found.changes,
            truncated: found.truncated,
        })
    }

    async fn compared(&self, point: &Point, run: &Run) -> Result<Compared, EngineError> {
        match point {
            Point::Backup(id) => self.compared_backup(&self.store.manifest(id).await?).await,
            Point::Live => Ok(self.capture_passing(run).await?.into()),
        }
    }

    pub(super) async fn compared_backup(
        &self,
        manifest: &Manifest,
    ) -> Result<Compared, EngineError> {
        let side = Side { reader: self.store.reader().await?, parts: manifest.parts.clone() };
        Ok(Compared { side, schema: manifest.schema.clone() })
    }
}

impl From<Passing> for Compared {
    fn from(passing: Passing) -> Self {
        let Passing { captured, reader } = passing;
        Self { side: Side { reader, parts: captured.parts }, schema: captured.schema }
    }
}

/// Collects the changes on a thread that may block.
pub(super) async fn collect(
    schema: Schema,
    old: Side,
    new: Side,
    limit: usize,
) -> Result<Collected, EngineError> {
    let work = move || {
        let mut collected = Collected::new(limit);
        for_each_change(&schema, &old, &new, &mut |part, table, change| {
            collected.take(part, table, &change);
            Ok(())
        })?;
        Ok(collected)
    };
    spawn_blocking(work).await.expect("comparing does not panic")
}
