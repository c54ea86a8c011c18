//! The retention rules of the service, which follow each backup.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::engine::{Engine, EngineError, Run};
use crate::model::{BackupId, Policy};
use crate::service::automation::memory::Memory;
use crate::service::automation::orders::{order, waits};
use crate::service::jobs::{Job, JobId, JobKind, JobResult, JobState, Jobs, Trigger, Work};
use crate::store::StoreError;

/// How long the answer to a backup waits for the cleanup that follows.
const PATIENCE: Duration = Duration::from_secs(30);
/// Backups whose cleanups are remembered.
const REMEMBERED: usize = 64;

/// Applies the rules after each backup.
pub struct Retention {
    policy: Option<Policy>,
    /// Whether the rules may delete.
    confirmed: bool,
    /// What the rules would have deleted at the first start; they wait for somebody to confirm that.
    withheld: Vec<BackupId>,
    engine: Engine,
    jobs: Jobs,
    /// The latest backups that somebody asked for, each with the cleanup that follows it.
    cleanups: watch::Sender<VecDeque<(JobId, Option<JobId>)>>,
}

impl Retention {
    /// Takes up the rules. If they must be confirmed, and never were in force in this state folder, they
    /// are in force only where they would delete nothing now.
    pub async fn start(
        (policy, must_be_confirmed): (Option<Policy>, bool),
        (engine, jobs): (Engine, Jobs),
        memory: &Memory,
    ) -> Arc<Self> {
        let (mut withheld, mut confirmed) = (Vec::new(), memory.record().retention_confirmed);
        if let Some(policy) = policy.as_ref().filter(|_| !confirmed) {
            confirmed = !must_be_confirmed || {
                let would = would_delete(&engine, policy).await;
                withheld = would.clone().unwrap_or_default();
                would.is_some_and(|ids| ids.is_empty())
            };
            if confirmed {
                memory.note(|record| record.retention_confirmed = true).await;
            }
        }
        let cleanups = watch::Sender::default();
        Arc::new(Self { policy, confirmed, withheld, engine, jobs, cleanups })
    }

    /// The rules, in force or not.
    #[must_use]
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// What the rules would delete, if they wait for somebody to confirm that.
    #[must_use]
    pub fn withheld(&self) -> &[BackupId] {
        &self.withheld
    }

    /// The rules that are in force.
    pub(super) fn in_force(&self) -> Option<&Policy> {
        self.policy.as_ref().filter(|_| self.confirmed)
    }

    /// Begins the cleanup that follows a backup which somebody asked for; a scheduled one has its own.
    pub(super) async fn follow(&self, job: &Job) {
        if job.kind != JobKind::Backup || job.trigger != Trigger::Request {
            return;
        }
        let cleanup = if job.state == JobState::Succeeded { self.begin(job).await } else { None };
        self.cleanups.send_modify(|known| {
            known.push_back((job.job_id, cleanup));
            if known.len() > REMEMBERED {
                known.pop_front();
            }
        });
    }

    /// Begins the cleanup that follows this backup, if it would delete something.
    pub(super) async fn begin(&self, job: &Job) -> Option<JobId> {
        let policy = self.in_force()?;
        // A cleanup keeps others waiting, so there is none unless something goes.
        if waits(&self.jobs, JobKind::Cleanup)
            || matches!(self.engine.would_clean_up(policy).await, Ok(false))
        {
            return None;
        }
        match order(&self.jobs, Work::Cleanup(policy.clone())) {
            // One that has to wait for others is not waited for.
            Ok(cleanup) => Some(cleanup.job_id).filter(|_| cleanup.state != JobState::Queued),
            Err(error) => {
                // The next backup is followed by one again.
                let backup = job.job_id;
                tracing::info!("no cleanup could start after the backup of job {backup}: {error}");
                None
            }
        }
    }

    /// The backups that the cleanup after this backup deleted. Waits for it, but not for ever: where it
    /// takes long, it is a job like others.
    pub async fn deleted_after(&self, backup: JobId) -> Vec<BackupId> {
        timeout(PATIENCE, self.cleanup_of(backup)).await.ok().flatten().unwrap_or_default()
    }

    async fn cleanup_of(&self, backup: JobId) -> Option<Vec<BackupId>> {
        let cleanup = {
            let mut cleanups = self.cleanups.subscribe();
            let is_of = |(job, _): &&(JobId, Option<JobId>)| *job == backup;
            let known = cleanups.wait_for(|known| known.iter().any(|one| is_of(&one))).await;
            known.ok()?.iter().find(is_of)?.1?
        };
        match self.jobs.ended(cleanup).await.ok()?.result? {
            JobResult::Cleanup(report) => {
                Some(report.deleted.into_iter().map(|judged| judged.backup_id).collect())
            }
            _ => None,
        }
    }
}

/// What the rules would delete now; nothing is known of a store that cannot be read, or is gone.
async fn would_delete(engine: &Engine, policy: &Policy) -> Option<Vec<BackupId>> {
    let look = async {
        if !engine.store().is_there().await? {
            return Err(StoreError::NoStore(engine.store().place().to_owned()).into());
        }
        engine.cleanup(policy, true, &Run::new()).await
    };
    let report: Result<_, EngineError> = look.await;
    let report = report.inspect_err(|error| {
        tracing::warn!(
            "the retention rules are not applied until the next start, as it cannot be told what they would \
             delete: {error}"
        );
    });
    let report = report.ok()?;
    let ids: Vec<_> = report.deleted.into_iter().map(|judged| judged.backup_id).collect();
    if !ids.is_empty() {
        let list = ids.iter().map(BackupId::as_str).collect::<Vec<_>>().join(", ");
        tracing::warn!(
            "the retention rules are not applied yet: they would delete {} of the backups in the store \
             ({list}). Start `serve` with --apply-retention to apply them, with other --keep options, or \
             with --keep-all to keep everything",
            ids.len()
        );
    }
    Some(ids)
}
