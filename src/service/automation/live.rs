//! What is known of the live rows: how they differed from a backup when they were last read.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};

use crate::engine::{Point, RestoreResults};
use crate::model::{BackupId, RowCounts};
use crate::service::jobs::{Job, JobResult, Jobs};
use crate::threads::locked;

/// The live rows as they were last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRead {
    /// When that was.
    pub at: DateTime<Utc>,
    /// The backup that they were compared with.
    pub backup_id: BackupId,
    /// How they differed from it.
    pub counts: RowCounts,
}

/// Remembers the latest reading. Cloning is cheap, and clones are one and the same.
#[derive(Debug, Clone, Default)]
pub struct Live(Arc<Mutex<Option<LastRead>>>);

impl Live {
    /// The latest reading; none if there was none, or if the rows were changed by this service since.
    #[must_use]
    pub fn last_read(&self) -> Option<LastRead> {
        locked(&self.0).clone()
    }

    /// Takes what a job tells of the live rows that is over.
    pub(super) fn follow(&self, job: &Job, jobs: &Jobs) {
        let result = jobs.find(job.job_id).ok().and_then(|job| job.result);
        let Some((result, at)) = result.zip(job.finished_at) else { return };
        match told_by(result) {
            Told::Nothing => {}
            Told::Changed => *locked(&self.0) = None,
            Told::Read(backup_id, counts) => {
                *locked(&self.0) = Some(LastRead { at, backup_id, counts });
            }
        }
    }
}

/// What a result tells of the live rows.
enum Told {
    Nothing,
    /// What was known of them no longer holds.
    Changed,
    /// How they differ from a backup.
    Read(BackupId, RowCounts),
}

fn told_by(result: JobResult) -> Told {
    let same = RowCounts::default();
    match result {
        JobResult::Backup(made) => Told::Read(made.backup_id, same),
        JobResult::Restore(done) if done.restore_results.partial => Told::Changed,
        JobResult::Restore(done) => Told::Read(done.backup_id, same),
        JobResult::Preview(preview) if !preview.partial => {
            let counts = preview.datasets.values().map(reversed).sum();
            Told::Read(preview.backup_id, counts)
        }
        JobResult::Diff(report) => {
            let counts: RowCounts = report.datasets.into_values().sum();
            match (report.from, report.to) {
                (Point::Backup(id), Point::Live) => Told::Read(id, counts),
                (Point::Live, Point::Backup(id)) => {
                    let RowCounts { added: removed, removed: added, .. } = counts;
                    Told::Read(id, RowCounts { added, removed, ..counts })
                }
                _ => Told::Nothing,
            }
        }
        _ => Told::Nothing,
    }
}

/// How the live rows differ from a backup, by what a restore of it would do.
fn reversed(restore: &RestoreResults) -> RowCounts {
    RowCounts {
        added: restore.deleted,
        changed: restore.updated,
        touched: 0,
        removed: restore.inserted,
    }
}
