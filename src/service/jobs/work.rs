//! What jobs do: a use case and its arguments, as data.

use crate::engine::{
    BackupRequest, CopyRequest, Engine, EngineError, ImportOptions, Point, RestoreOptions, Run,
};
use crate::model::{BackupId, Policy};
use crate::service::access::Identity;
use crate::service::jobs::job::{JobKind, Trigger};
use crate::service::jobs::result::JobResult;

/// A use case and its arguments.
#[derive(Debug)]
pub enum Work {
    /// Make a backup.
    Backup(BackupRequest),
    Restore(BackupId, RestoreOptions),
    /// Find out what a restore would change; lists so many rows of each dataset.
    Preview(BackupId, RestoreOptions, usize),
    /// Verify these backups; without any, everything.
    Verify(Vec<BackupId>),
    /// Delete what the policy does not keep.
    Cleanup(Policy),
    Delete(BackupId),
    /// Make a backup of this archive.
    Import(ImportOptions, tokio::fs::File),
    /// Compare two points; lists so many rows of each dataset.
    Diff(Point, Point, usize),
    /// Copy backups into another store.
    Copy(CopyRequest),
}

/// Some work, and who wants it.
#[derive(Debug)]
pub struct Order {
    /// What to do.
    pub work: Work,
    /// Who asks.
    pub created_by: String,
    /// Whose access it needs, where somebody asks from outside.
    pub caller: Option<Identity>,
    /// Why.
    pub trigger: Trigger,
    /// The request that asks.
    pub request_id: Option<String>,
}

impl Work {
    /// What kind of job it makes.
    #[must_use]
    pub fn kind(&self) -> JobKind {
        match self {
            Self::Backup(_) => JobKind::Backup,
            Self::Restore(..) => JobKind::Restore,
            Self::Preview(..) => JobKind::Preview,
            Self::Verify(_) => JobKind::Verify,
            Self::Cleanup(_) => JobKind::Cleanup,
            Self::Delete(_) => JobKind::Delete,
            Self::Import(..) => JobKind::Import,
            Self::Diff(..) => JobKind::Diff,
            Self::Copy(_) => JobKind::Copy,
        }
    }

    /// The backup that it is about.
    #[must_use]
    pub fn target(&self) -> Option<BackupId> {
        match self {
            Self::Restore(id, _) | Self::Preview(id, ..) | Self::Delete(id) => Some(id.clone()),
            Self::Verify(ids) if ids.len() == 1 => Some(ids[0].clone()),
            Self::Diff(Point::Backup(id), ..) | Self::Diff(_, Point::Backup(id), _) => {
                Some(id.clone())
            }
            _ => None,
        }
    }

    /// Does it.
    pub(in crate::service) async fn run(
        self,
        engine: &Engine,
        run: &Run,
    ) -> Result<JobResult, EngineError> {
        Ok(match self {
            Self::Backup(request) => {
                JobResult::Backup(Box::new(engine.backup(request, run).await?))
            }
            Self::Restore(id, options) => {
                JobResult::Restore(engine.restore(&id, &options, run).await?)
            }
            Self::Preview(id, options, limit) => {
                JobResult::Preview(engine.preview(&id, &options, limit, run).await?)
            }
            Self::Verify(ids) => JobResult::Verify(engine.verify(&ids, run).await?),
            Self::Cleanup(policy) => JobResult::Cleanup(engine.cleanup(&policy, false, run).await?),
            Self::Delete(id) => JobResult::Delete(engine.delete(&id, run).await?),
            Self::Import(options, archive) => {
                let imported = engine.import_archive_with(&options, archive, run).await?;
                JobResult::Import(Box::new(imported))
            }
            Self::Diff(from, to, limit) => {
                JobResult::Diff(engine.diff(&from, &to, limit, run).await?)
            }
            Self::Copy(request) => {
                let report = engine.copy(&request, run).await?;
                let said = report.refused.iter().map(|it| format!("{}: {}", it.backup_id, it.why));
                let said: Vec<_> = said.collect();
                if !said.is_empty() {
                    return Err(EngineError::NotCopied(said));
                }
                JobResult::Copy(report)
            }
        })
    }
}
