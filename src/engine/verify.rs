//! The fourth primitive: every chunk there, every hash right, every row count right.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Engine, EngineError, Phase, Run};
use crate::model::{BackupId, Manifest, Verification, rfc3339};
use crate::store::{Damage, StoreError};

/// What a verification found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VerifyReport {
    /// `success` if all is whole, else `damaged`.
    pub status: &'static str,
    /// Each backup that was verified.
    pub backups: Vec<VerifiedBackup>,
    /// Damage in the store that hurts none of these backups.
    pub elsewhere: Vec<String>,
}

/// What a verification found of one backup.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VerifiedBackup {
    /// The backup.
    pub backup_id: BackupId,
    /// Whether every byte is there and right.
    pub intact: bool,
    /// Rows that were counted.
    pub rows: u64,
    /// One sentence for each damage, naming the datasets.
    pub damage: Vec<String>,
}

impl VerifyReport {
    /// Whether all is whole.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.elsewhere.is_empty() && self.backups.iter().all(|backup| backup.intact)
    }
}

/// A damage as a sentence that names everything it hurts.
fn sentence(damage: &Damage) -> String {
    let mut hurts: BTreeMap<&BackupId, Vec<&str>> = BTreeMap::new();
    for (id, dataset) in &damage.hurts {
        hurts.entry(id).or_default().push(dataset.name());
    }
    let hurts = hurts.iter().map(|(id, datasets)| format!("{id} ({})", datasets.join(", ")));
    let hurts: Vec<_> = hurts.collect();
    let hurts = if hurts.is_empty() { "no backup".into() } else { hurts.join(", ") };
    format!("{damage}; it hurts {hurts}")
}

impl Engine {
    /// Verifies these backups; without any, all backups and every object of the store.
    ///
    /// # Errors
    /// If an id is unknown or the store cannot be read. Damage is no error but a finding.
    pub async fn verify(&self, ids: &[BackupId], run: &Run) -> Result<VerifyReport, EngineError> {
        let everything = ids.is_empty();
        let ids = if everything { self.store.backups().await? } else { ids.to_vec() };
        let (mut manifests, mut backups) = (Vec::new(), Vec::new());
        for id in ids {
            match self.store.manifest(&id).await {
                Ok(manifest) => manifests.push(manifest),
                Err(error @ StoreError::ManifestDamaged { .. }) => backups.push(VerifiedBackup {
                    damage: vec![error.to_string()],
                    backup_id: id,
                    intact: false,
                    rows: 0,
                }),
                Err(error) => return Err(error.into()),
            }
        }
        let damage = self.check(&manifests, everything, run).await?;
        for manifest in &manifests {
            backups.push(self.conclude(manifest, &damage).await?);
        }
        backups.sort_by(|a, b| a.backup_id.cmp(&b.backup_id));
        let mut elsewhere: Vec<_> =
            damage.iter().filter(|damage| damage.hurts.is_empty()).map(sentence).collect();
        elsewhere.dedup();
        run.begin(Phase::Done, None);
        let mut report = VerifyReport { status: "success", backups, elsewhere };
        if !report.is_intact() {
            report.status = "damaged";
        }
        Ok(report)
    }

    async fn check(
        &self,
        manifests: &[Manifest],
        everything: bool,
        run: &Run,
    ) -> Result<Vec<Damage>, EngineError> {
        run.begin(Phase::Verifying, None);
        let meter = run.byte_meter();
        let tell = move |progress: crate::store::Progress| meter(progress.bytes, progress.of);
        Ok(if everything {
            self.store.check_all(manifests, tell).await?
        } else {
            self.store.check_trees(manifests, tell).await?
        })
    }

    /// Notes in the backup's state how its verification ended.
    async fn conclude(
        &self,
        manifest: &Manifest,
        damage: &[Damage],
    ) -> Result<VerifiedBackup, EngineError> {
        let id = &manifest.backup_id;
        let hurts = |damage: &&Damage| damage.hurts.iter().any(|(hurt, _)| hurt == id);
        let damage: Vec<_> = damage.iter().filter(hurts).map(sentence).collect();
        let verified_at = rfc3339(self.now());
        // A state that cannot be read or written must not hide what was found.
        let verification = Verification { verified_at, damage: damage.clone() };
        let noted = self.store.change_state(id, |state| state.verification = Some(verification));
        if let Err(error) = noted.await {
            tracing::warn!("could not note the verification of {id}: {error}");
        }
        Ok(VerifiedBackup {
            backup_id: id.clone(),
            intact: damage.is_empty(),
            rows: manifest.parts.iter().map(|part| part.rows).sum(),
            damage,
        })
    }

    /// Refuses to go on with a damaged backup.
    pub(super) async fn refuse_damaged(
        &self,
        manifest: &Manifest,
        run: &Run,
    ) -> Result<(), EngineError> {
        if self.check(std::slice::from_ref(manifest), false, run).await?.is_empty() {
            return Ok(());
        }
        // Only now is it worth reading all backups: the message is to name each that is hurt.
        let id = &manifest.backup_id;
        let report = self.verify(&self.store.backups().await?, run).await?;
        let hurt = report.backups.into_iter().find(|backup| backup.backup_id == *id);
        let damage = hurt.map(|backup| backup.damage).unwrap_or_default();
        Err(EngineError::Damaged { id: id.clone(), damage })
    }
}
