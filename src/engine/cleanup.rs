//! Delete and clean up: unlink manifests, then sweep what no tree reaches.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Engine, EngineError, Phase, Run};
use crate::model::{BackupId, Candidate, Decision, Policy, Reason};
use crate::store::{Lock, Mode, StoreError, Swept};

/// How long a sweep waits for backups that are under way. Theirs is the right of way.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a sweep freed.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Freed {
    /// Bytes that the store has shrunk by.
    pub bytes: u64,
    /// Bytes that nothing needs, but which stay for a time of grace.
    pub pending_bytes: u64,
    /// Packs that went.
    pub packs: u64,
    /// Why not everything that could go went, if so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The documented answer to a deletion.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Deleted {
    /// Always `success`.
    pub status: &'static str,
    /// The same in words.
    pub message: String,
    /// Whether it was only a preview.
    pub dry_run: bool,
    /// What the deletion freed; in a preview, about what it would free.
    pub freed: Freed,
}

/// What a cleanup decided about one backup.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Judged {
    /// The backup.
    pub backup_id: BackupId,
    /// What people call it.
    pub description: String,
    /// Why it stays; empty if it goes.
    pub kept_because: Vec<Reason>,
}

/// What a cleanup did, or would do.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CleanupReport {
    /// Always `success`.
    pub status: &'static str,
    /// The same in words.
    pub message: String,
    /// Whether it was only a preview.
    pub dry_run: bool,
    /// Backups that go, newest first.
    pub deleted: Vec<Judged>,
    /// Backups that stay, newest first.
    pub kept: Vec<Judged>,
    /// What it freed; in a preview, about what it would free.
    pub freed: Freed,
}

impl Engine {
    /// Deletes one backup and frees what only it needed.
    ///
    /// # Errors
    /// If there is none with this id, or another restore or cleanup is under way.
    pub async fn delete(&self, id: &BackupId, run: &Run) -> Result<Deleted, EngineError> {
        let what = format!("deletion of {id}");
        let alone = self.store.lock(Lock::Maintenance, Mode::Exclusive, &what, Duration::ZERO);
        let alone = alone.await?;
        self.store.unlink(id).await?;
        let freed = self.sweep(&what, run).await?;
        alone.release().await;
        let message = format!("Backup {id} deleted");
        Ok(Deleted { status: "success", message, dry_run: false, freed })
    }

    /// What deleting this backup would free, found out without deleting anything.
    ///
    /// # Errors
    /// If there is none with this id, or the store cannot be read.
    pub async fn would_delete(&self, id: &BackupId) -> Result<Deleted, EngineError> {
        self.store.manifest(id).await?;
        let (manifests, _) = self.store.manifests(|manifest| manifest).await?;
        let bytes = self.store.exclusive_sizes(&manifests).await?.remove(id).unwrap_or(0);
        let message = format!("Backup {id} would be deleted");
        let freed = Freed { bytes, ..Freed::default() };
        Ok(Deleted { status: "success", message, dry_run: true, freed })
    }

    /// Keeps what the policy keeps and deletes the others.
    ///
    /// # Errors
    /// If another restore or cleanup is under way, or the store cannot be read.
    pub async fn cleanup(
        &self,
        policy: &Policy,
        dry_run: bool,
        run: &Run,
    ) -> Result<CleanupReport, EngineError> {
        if dry_run {
            let (kept, deleted) = self.judge(policy).await?;
            let freed = self.would_free(&kept).await?;
            return Ok(report(kept, deleted, freed, true));
        }
        let alone = self.store.lock(Lock::Maintenance, Mode::Exclusive, "cleanup", Duration::ZERO);
        let alone = alone.await?;
        let (mut kept, judged) = self.judge(policy).await?;
        let mut deleted = Vec::new();
        for mut backup in judged {
            // Somebody may have pinned it since.
            if self.store.state(&backup.backup_id).await.is_ok_and(|state| state.pinned) {
                backup.kept_because.push(Reason::Pinned);
                kept.push(backup);
                continue;
            }
            match self.store.unlink(&backup.backup_id).await {
                Ok(()) | Err(StoreError::NoSuchBackup(_)) => deleted.push(backup),
                Err(error) => return Err(error.into()),
            }
        }
        kept.sort_by(|a, b| b.backup_id.cmp(&a.backup_id));
        let freed = self.sweep("cleanup", run).await?;
        alone.release().await;
        Ok(report(kept, deleted, freed, false))
    }

    /// Who stays and who goes. A backup that cannot be read stays: it is damaged, not old.
    async fn judge(&self, policy: &Policy) -> Result<(Vec<Judged>, Vec<Judged>), EngineError> {
        let listed = self.list().await?.backups;
        let candidates = listed.iter().map(|listed| Candidate {
            id: listed.info.backup_id.clone(),
            kind: listed.info.backup_type,
            pinned: listed.info.pinned,
        });
        let judged = |decision: Decision| {
            let backup = listed.iter().find(|backup| backup.info.backup_id == decision.id);
            Judged {
                description: backup.map(|b| b.info.description.clone()).unwrap_or_default(),
                backup_id: decision.id,
                kept_because: decision.reasons,
            }
        };
        let all = policy.decide(candidates.collect(), self.now()).into_iter().map(judged);
        Ok(all.partition(|judged| !judged.kept_because.is_empty()))
    }

    /// What a sweep would free, were only these kept.
    async fn would_free(&self, kept: &[Judged]) -> Result<Freed, EngineError> {
        let mut manifests = Vec::new();
        for judged in kept {
            manifests.push(self.store.manifest(&judged.backup_id).await?);
        }
        let bytes = self.store.would_free(&manifests).await?;
        Ok(Freed { bytes, ..Freed::default() })
    }

    /// Frees what no backup reaches. The backups are gone already, so a sweep that has to wait for
    /// another time is no failure, but a note.
    async fn sweep(&self, what: &str, run: &Run) -> Result<Freed, EngineError> {
        run.begin(Phase::Sweeping, None);
        let noted = |note: String| Freed { notes: vec![note], ..Freed::default() };
        let lock = self.store.lock(Lock::Objects, Mode::Exclusive, what, PATIENCE).await;
        let alone = match lock {
            Ok(alone) => alone,
            Err(error @ StoreError::Busy { .. }) => {
                return Ok(noted(format!("space is freed by the next cleanup: {error}")));
            }
            Err(error) => return Err(error.into()),
        };
        let swept = self.store.sweep(&alone, self.store.default_grace()).await;
        alone.release().await;
        run.begin(Phase::Done, None);
        let chain = |error| EngineError::Store(error).chain().join(": ");
        Ok(match swept {
            Ok(swept) => swept.into(),
            Err(error) => noted(format!("space could not be freed: {}", chain(error))),
        })
    }
}

impl From<Swept> for Freed {
    fn from(swept: Swept) -> Self {
        Self {
            bytes: swept.bytes_freed,
            pending_bytes: swept.bytes_pending,
            packs: swept.packs_removed,
            notes: swept.problems,
        }
    }
}

fn report(kept: Vec<Judged>, deleted: Vec<Judged>, freed: Freed, dry_run: bool) -> CleanupReport {
    let verb = if dry_run { "would go" } else { "deleted" };
    let message = format!("Backups: {} {verb}, {} kept", deleted.len(), kept.len());
    CleanupReport { status: "success", message, dry_run, deleted, kept, freed }
}
