//! Delete and clean up: unlink manifests, then sweep what no tree reaches.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::{Engine, EngineError, Phase, Run};
use crate::model::{
    BackupId, BackupKind, Candidate, Decision, Manifest, Pin, Policy, Reason, State, Status,
};
use crate::store::{Lock, Mode, StoreError, Swept};

/// Time for which a sweep waits for running backups, which have precedence.
const PATIENCE: Duration = Duration::from_secs(5);

/// Space that a sweep freed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Freed {
    /// Bytes that the store has shrunk by.
    pub bytes: u64,
    /// Bytes that nothing needs, but which stay for a time of grace.
    pub pending_bytes: u64,
    /// Packs that went.
    pub packs: u64,
    /// Why not everything that could go went, if so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Result of a deletion, or its preview.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deleted {
    pub backup_id: BackupId,
    /// Nothing was done: it is a preview.
    pub dry_run: bool,
    /// Space that the deletion freed; in a preview, about what it would free.
    pub freed: Freed,
}

/// Decision of a cleanup about one backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Judged {
    pub backup_id: BackupId,
    /// Its description.
    pub description: String,
    /// Why it was made.
    #[serde(default)]
    pub backup_type: BackupKind,
    /// Its validity, as far as is known.
    #[serde(default)]
    pub status: Status,
    /// Why it stays; empty if it goes.
    pub kept_because: Vec<Reason>,
    /// Its place in the order of creation: 0 is the newest.
    pub place: usize,
}

/// Result of a cleanup, or its preview.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CleanupReport {
    /// Nothing was done: it is a preview.
    pub dry_run: bool,
    /// Backups that go, newest first.
    pub deleted: Vec<Judged>,
    /// Backups that stay, newest first.
    pub kept: Vec<Judged>,
    /// Space that it freed; in a preview, about what it would free.
    pub freed: Freed,
    /// Of a preview: the part of the space of each backup that goes. Together they are all of it.
    #[serde(default)]
    pub frees: BTreeMap<BackupId, u64>,
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
        alone.check().await?;
        self.store.unlink(id).await?;
        let freed = self.sweep(&what, run).await?;
        alone.release().await;
        Ok(Deleted { backup_id: id.clone(), dry_run: false, freed })
    }

    /// Returns what deleting this backup would free, without deleting anything.
    ///
    /// # Errors
    /// If there is none with this id, or the store cannot be read.
    pub async fn would_delete(&self, id: &BackupId) -> Result<Deleted, EngineError> {
        self.store.manifest(id).await?;
        let (manifests, _) = self.store.manifests(|manifest| manifest).await?;
        let freed = match self.store.exclusive_sizes(&manifests).await {
            Ok(mut sizes) => Freed { bytes: sizes.remove(id).unwrap_or(0), ..Freed::default() },
            Err(error) => Freed::noted(format!("no space would be freed: {}", chain(error))),
        };
        Ok(Deleted { backup_id: id.clone(), dry_run: true, freed })
    }

    /// Keeps what the policy keeps and deletes the others.
    ///
    /// # Errors
    /// [`EngineError::NothingLeft`] if the rules keep none and the policy does not allow that; if
    /// another restore or cleanup is under way, or the store cannot be read.
    pub async fn cleanup(
        &self,
        policy: &Policy,
        dry_run: bool,
        run: &Run,
    ) -> Result<CleanupReport, EngineError> {
        if dry_run {
            let (kept, deleted) = self.judge(policy).await?;
            let (freed, shares) = self.would_free(&kept, &deleted).await;
            return Ok(CleanupReport { dry_run, deleted, kept, freed, frees: shares });
        }
        let alone = self.store.lock(Lock::Maintenance, Mode::Exclusive, "cleanup", Duration::ZERO);
        let alone = alone.await?;
        let (mut kept, judged) = self.judge(policy).await?;
        let mut deleted = Vec::new();
        for mut backup in judged {
            alone.check().await?;
            match self.store.unlink_unpinned(&backup.backup_id).await {
                // Somebody has pinned it since.
                Ok(false) => {
                    backup.kept_because.push(Reason::Pinned);
                    kept.push(backup);
                }
                Ok(true) | Err(StoreError::NoSuchBackup(_)) => deleted.push(backup),
                Err(error) => return Err(error.into()),
            }
        }
        kept.sort_by_key(|judged| judged.place);
        let freed = self.sweep("cleanup", run).await?;
        alone.release().await;
        Ok(CleanupReport { dry_run, deleted, kept, freed, frees: BTreeMap::new() })
    }

    /// Returns whether a cleanup by this policy would delete anything.
    ///
    /// # Errors
    /// As [`Self::cleanup`].
    pub async fn would_clean_up(&self, policy: &Policy) -> Result<bool, EngineError> {
        Ok(!self.judge(policy).await?.1.is_empty())
    }

    /// Decides which backups stay. One whose manifest cannot be read stays: it is damaged, not old.
    async fn judge(&self, policy: &Policy) -> Result<(Vec<Judged>, Vec<Judged>), EngineError> {
        let (mut manifests, _) = self.store.manifests(|manifest| manifest).await?;
        manifests.reverse();
        let mut about = Vec::with_capacity(manifests.len());
        let mut candidates = Vec::with_capacity(manifests.len());
        for manifest in &manifests {
            let state = self.store.state(&manifest.backup_id).await.ok();
            candidates.push(candidate(manifest, state.as_ref()));
            let status = state.as_ref().map_or(Status::Completed, State::status);
            let given_later = state.and_then(|state| state.description);
            let description = given_later.unwrap_or_else(|| manifest.description.clone());
            about.push((description, manifest.backup_type, status));
        }
        self.look_at_newest_good(&manifests, &mut candidates).await?;
        let decisions = policy.decide(&candidates, self.now());
        refuse_to_leave_none(policy, &decisions)?;
        let judged = decisions.into_iter().zip(about).enumerate();
        let judged = judged.map(|(place, (decision, (description, backup_type, status)))| {
            let Decision { id: backup_id, reasons: kept_because } = decision;
            Judged { backup_id, description, backup_type, status, kept_because, place }
        });
        Ok(judged.partition(|judged| !judged.kept_because.is_empty()))
    }

    /// Makes sure that the newest backup that counts as good is so, as far as can be told without
    /// reading its rows: a verification may be long ago.
    async fn look_at_newest_good(
        &self,
        manifests: &[Manifest],
        candidates: &mut [Candidate],
    ) -> Result<(), EngineError> {
        for kind in [None, Some(BackupKind::Full)] {
            for (manifest, candidate) in manifests.iter().zip(candidates.iter_mut()) {
                if !candidate.good || kind.is_some_and(|kind| kind != candidate.kind) {
                    continue;
                }
                candidate.good = self.store.has_chunks(manifest).await?;
                if candidate.good {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Returns what a sweep would free if only some were kept, and the part of each other one. Where damage
    /// keeps that from being told, it would keep the sweep from freeing anything, too.
    async fn would_free(
        &self,
        kept: &[Judged],
        deleted: &[Judged],
    ) -> (Freed, BTreeMap<BackupId, u64>) {
        let count = async {
            let kept = self.manifests_of(kept).await?;
            let gone = self.manifests_of(deleted).await?;
            let sizes = self.store.sizes_beyond(&kept, &gone).await?;
            Ok::<_, StoreError>((self.store.would_free(&kept).await?, sizes))
        };
        match count.await {
            Ok((bytes, sizes)) => {
                let ids = deleted.iter().map(|judged| judged.backup_id.clone());
                let frees = ids.zip(shares(bytes, &sizes)).collect();
                (Freed { bytes, ..Freed::default() }, frees)
            }
            Err(error) => {
                let note = format!("no space would be freed: {}", chain(error));
                (Freed::noted(note), BTreeMap::new())
            }
        }
    }

    async fn manifests_of(&self, judged: &[Judged]) -> Result<Vec<Manifest>, StoreError> {
        let mut manifests = Vec::with_capacity(judged.len());
        for one in judged {
            manifests.push(self.store.manifest(&one.backup_id).await?);
        }
        Ok(manifests)
    }

    /// Frees what no backup reaches. The backups are gone already, so a sweep that has to wait for
    /// another time is no failure, but a note.
    async fn sweep(&self, what: &str, run: &Run) -> Result<Freed, EngineError> {
        run.begin(Phase::Sweeping, None);
        let lock = self.store.lock(Lock::Objects, Mode::Exclusive, what, PATIENCE).await;
        let alone = match lock {
            Ok(alone) => alone,
            Err(error @ StoreError::Busy { .. }) => {
                return Ok(Freed::noted(format!("space is freed by the next cleanup: {error}")));
            }
            Err(error) => return Err(error.into()),
        };
        let swept = self.store.sweep(&alone, self.store.default_grace()).await;
        alone.release().await;
        run.begin(Phase::Done, None);
        Ok(match swept {
            Ok(swept) => swept.into(),
            Err(error) => Freed::noted(format!("space could not be freed: {}", chain(error))),
        })
    }
}

/// Divides a whole among these in the proportion of their sizes, to the last byte: packs are freed as a
/// whole, with what is around the chunks of backups.
fn shares(whole: u64, sizes: &[u64]) -> Vec<u64> {
    let sum: u128 = sizes.iter().map(|size| u128::from(*size)).sum();
    let share = |size: u64| match sum {
        0 => 0,
        sum => u64::try_from(u128::from(whole) * u128::from(size) / sum).unwrap_or(whole),
    };
    let mut shares: Vec<_> = sizes.iter().map(|size| share(*size)).collect();
    let rest = whole - shares.iter().sum::<u64>();
    if let Some(largest) = shares.iter_mut().max() {
        *largest += rest;
    }
    shares
}

fn chain(error: StoreError) -> String {
    EngineError::Store(error).chain().join(": ")
}

impl Freed {
    /// Nothing, and why.
    fn noted(note: String) -> Self {
        Self { notes: vec![note], ..Self::default() }
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

/// A backup as the policy sees it; without a state if that cannot be read.
fn candidate(manifest: &Manifest, state: Option<&State>) -> Candidate {
    Candidate {
        id: manifest.backup_id.clone(),
        made: manifest.instant(),
        kind: manifest.backup_type,
        automatic: manifest.automatic,
        pin: match state {
            None => Pin::Unknown,
            Some(state) if state.pinned => Pin::Pinned,
            Some(_) => Pin::Unpinned,
        },
        good: state.is_some_and(|state| state.status() == Status::Completed),
    }
}

/// The newest good backup stays anyway; but who asks for rules that keep none may have meant more,
/// or less.
fn refuse_to_leave_none(policy: &Policy, decisions: &[Decision]) -> Result<(), EngineError> {
    let by_rule = |decision: &Decision| decision.reasons.iter().any(|it| *it != Reason::NewestGood);
    if policy.allow_empty || decisions.is_empty() || decisions.iter().any(by_rule) {
        return Ok(());
    }
    Err(EngineError::NothingLeft(decisions.len()))
}

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn shares_of_what_is_freed_are_the_whole() {
        assert_eq!(shares(100, &[1, 1, 1]), [33, 33, 34]);
        assert_eq!(shares(100, &[0, 0]), [0, 100]);
        assert_eq!(shares(0, &[5]), [0]);
        assert_eq!(shares(7, &[0, 30, 10]), [0, 6, 1]);
        assert!(shares(7, &[]).is_empty());
    }
}
