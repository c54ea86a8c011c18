//! The fourth primitive: every chunk there, every hash right, every row count right.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::task::AbortOnDropHandle;

use crate::engine::{Engine, EngineError, Phase, Run};
use crate::model::{BackupId, Manifest, Verification, rfc3339};
use crate::store::{self, Damage, Lock, Mode, StoreError};

/// How long a verification waits for a sweep to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// Of how many backups one sentence tells.
const NAMED: usize = 10;
/// How many sentences tell of one backup, or of the rest of the store.
const TOLD: usize = 20;

const HEALING: &str = "put lost files back, or `backup`: it repairs the chunks that the live rows still \
    have; then `verify` again. A backup that stays damaged cannot be restored, only deleted";
const HARMLESS: &str = "findings that affect no backup cost no row; `cleanup` repairs them";

/// What a verification found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Each backup that was verified.
    pub backups: Vec<VerifiedBackup>,
    /// What is wrong in the store but affects no backup. The next cleanup repairs it.
    pub elsewhere: Vec<String>,
    /// Backups that were deleted while this ran.
    pub deleted: Vec<BackupId>,
    /// What to do about what was found.
    pub notes: Vec<String>,
}

/// What a verification found of one backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VerifiedBackup {
    pub backup_id: BackupId,
    /// Whether every byte is there and right.
    pub intact: bool,
    /// Rows that were counted.
    pub rows: u64,
    /// One sentence for each damage, naming the datasets.
    pub damage: Vec<String>,
}

impl VerifyReport {
    /// Whether no backup is affected.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.backups.iter().all(|backup| backup.intact)
    }

    fn new(backups: Vec<VerifiedBackup>, elsewhere: Vec<String>, deleted: Vec<BackupId>) -> Self {
        let mut report = Self { backups, elsewhere, deleted, notes: Vec::new() };
        if !report.is_intact() {
            report.notes.push(HEALING.into());
        }
        if !report.elsewhere.is_empty() {
            report.notes.push(HARMLESS.into());
        }
        let deleted: Vec<_> = report.deleted.iter().map(gone).collect();
        report.notes.extend(deleted);
        report
    }
}

fn gone(id: &BackupId) -> String {
    format!("backup {id} was deleted meanwhile and was not verified")
}

/// No more than are read, the first ones named.
fn bounded(mut sentences: Vec<String>) -> Vec<String> {
    let more = sentences.len().saturating_sub(TOLD);
    if more > 0 {
        sentences.truncate(TOLD);
        sentences.push(format!("and {more} more findings"));
    }
    sentences
}

/// A damage as a sentence that names what it affects: this backup first, and not too many others, which
/// have sentences of their own.
fn sentence(damage: &Damage, first: Option<&BackupId>) -> String {
    let mut affects: BTreeMap<&BackupId, Vec<&str>> = BTreeMap::new();
    for (id, dataset) in &damage.affects {
        affects.entry(id).or_default().push(dataset.name());
    }
    let mut affects: Vec<_> = affects.into_iter().collect();
    affects.sort_by_key(|(id, _)| Some(*id) != first);
    let more = affects.len().saturating_sub(NAMED);
    let named = affects.iter().take(NAMED);
    let mut named: Vec<_> =
        named.map(|(id, datasets)| format!("{id} ({})", datasets.join(", "))).collect();
    named.extend((more > 0).then(|| format!("and {more} more")));
    let named = if named.is_empty() { "no backup".into() } else { named.join(", ") };
    format!("{damage}; it affects {named}")
}

impl Engine {
    /// Verifies these backups; without any, all backups and every object of the store.
    ///
    /// # Errors
    /// If an id is unknown or the store cannot be read. Damage is no error but a finding.
    pub async fn verify(&self, ids: &[BackupId], run: &Run) -> Result<VerifyReport, EngineError> {
        // What a sweep takes away meanwhile would look like damage. Where no lock is to be had because the
        // store is only read, nobody of this account sweeps either.
        let shared = self.store.lock(Lock::Objects, Mode::Shared, "verification", PATIENCE).await;
        let shared = match shared {
            Err(error @ StoreError::Busy { .. }) => return Err(error.into()),
            shared => shared.ok(),
        };
        let report = self.verify_now(ids, run).await;
        if let Some(shared) = shared {
            shared.release().await;
        }
        report
    }

    async fn verify_now(&self, ids: &[BackupId], run: &Run) -> Result<VerifyReport, EngineError> {
        let everything = ids.is_empty();
        let ids = if everything { self.store.backups().await? } else { ids.to_vec() };
        let (mut manifests, mut backups, mut deleted) = (Vec::new(), Vec::new(), Vec::new());
        for id in ids {
            match self.store.manifest(&id).await {
                Ok(manifest) => manifests.push(manifest),
                Err(error @ StoreError::ManifestDamaged { .. }) => backups.push(VerifiedBackup {
                    damage: vec![error.to_string()],
                    backup_id: id,
                    intact: false,
                    rows: 0,
                }),
                Err(StoreError::NoSuchBackup(id)) if everything => deleted.push(id),
                Err(error) => return Err(error.into()),
            }
        }
        run.begin(Phase::Verifying, None);
        let report = run.byte_progress();
        let tell = move |progress: store::Progress| report(progress.bytes, progress.of);
        let damage = if everything {
            self.store.check_all(&manifests, tell).await?
        } else {
            self.store.check_trees(&manifests, tell).await?
        };
        // What was deleted meanwhile may be gone, and affects nobody.
        let there = self.store.backups().await?;
        let (manifests, gone): (Vec<_>, Vec<_>) =
            manifests.into_iter().partition(|manifest| there.contains(&manifest.backup_id));
        deleted.extend(gone.into_iter().map(|manifest| manifest.backup_id));
        for manifest in &manifests {
            backups.push(self.conclude(manifest, &damage).await?);
        }
        backups.sort_by_key(|backup| there.iter().position(|id| *id == backup.backup_id));
        let affects_nobody = |damage: &&Damage| damage.affects.is_empty();
        let harmless = damage.iter().filter(affects_nobody).map(|damage| sentence(damage, None));
        let small = self.store.check_small_files(&manifests).await?;
        let elsewhere = harmless.chain(small);
        run.begin(Phase::Done, None);
        Ok(VerifyReport::new(backups, bounded(elsewhere.collect()), deleted))
    }

    /// Notes in the backup's state how its verification ended.
    async fn conclude(
        &self,
        manifest: &Manifest,
        damage: &[Damage],
    ) -> Result<VerifiedBackup, EngineError> {
        let id = &manifest.backup_id;
        let affects = |damage: &&Damage| damage.affects.iter().any(|(affected, _)| affected == id);
        let damage = damage.iter().filter(affects).map(|damage| sentence(damage, Some(id)));
        let mut damage: Vec<_> = damage.collect();
        if damage.is_empty() {
            damage = self.broken_rules(manifest).await?;
        }
        let mut damage = bounded(damage);
        let verified_at = rfc3339(self.now());
        // A state that cannot be read or written must not hide what was found. If it cannot be read,
        // that is damage, too.
        let verification = Verification { verified_at, damage: damage.clone() };
        let noted =
            self.store.change_state(id, |state| state.verification = Some(verification.clone()));
        match noted.await {
            Ok(_) | Err(StoreError::NoSuchBackup(_)) => {}
            Err(error @ StoreError::StateDamaged { .. }) => damage.push(format!(
                "{error}; its rows are not affected; what was said of it is lost, and `annotate` begins anew"
            )),
            Err(error) => tracing::warn!("could not record the verification of {id}: {error}"),
        }
        Ok(VerifiedBackup {
            backup_id: id.clone(),
            intact: damage.is_empty(),
            rows: manifest.parts.iter().map(|part| part.rows).sum(),
            damage,
        })
    }

    /// Begins to verify a backup beside other work of the run. To be awaited before anything is done with its
    /// rows; dropped, it ends.
    pub(in crate::engine) fn begin_verification(
        &self,
        manifest: &Manifest,
        run: &Run,
    ) -> AbortOnDropHandle<Result<(), EngineError>> {
        let (engine, manifest, alive) = (self.clone(), manifest.clone(), run.sign_of_life());
        AbortOnDropHandle::new(tokio::spawn(async move {
            engine.refuse_damaged(&manifest, move |_| alive()).await
        }))
    }

    /// Refuses to go on with a damaged backup.
    pub(in crate::engine) async fn refuse_damaged(
        &self,
        manifest: &Manifest,
        tell: impl Fn(store::Progress) + Send + Sync + 'static,
    ) -> Result<(), EngineError> {
        let found = self.store.check_trees(std::slice::from_ref(manifest), tell).await?;
        if found.iter().all(|damage| damage.affects.is_empty()) {
            return self.refuse_broken_rules(manifest).await;
        }
        // Only now is it worth reading all backups: the message is to name each that is affected.
        let id = &manifest.backup_id;
        let report = self.verify(&self.store.backups().await?, &Run::new()).await?;
        let affected = report.backups.into_iter().find(|backup| backup.backup_id == *id);
        let damage = affected.map(|backup| backup.damage).unwrap_or_default();
        Err(EngineError::Damaged { id: id.clone(), damage })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Dataset;

    #[test]
    fn of_a_damage_that_affects_many_each_backup_is_told_its_own_and_how_many_others() {
        let ids: Vec<BackupId> = (10..40)
            .map(|second| format!("20250920_1430{second}").parse().expect("an id"))
            .collect();
        let affects = ids.iter().map(|id| (id.clone(), Dataset::from("vpcs"))).collect();
        let damage = Damage { pack: None, chunk: None, what: "gone".into(), affects };
        let said = sentence(&damage, Some(&ids[29]));
        assert!(
            said.starts_with("gone; it affects 20250920_143039 (vpcs), 20250920_143010"),
            "{said}"
        );
        assert!(said.ends_with(", and 20 more"), "{said}");
    }
}
