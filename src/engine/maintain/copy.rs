//! Copy: backups of this store become backups of another one, with their ids and what was said of them.
//!
//! Oldest first, and each is published as soon as its chunks have arrived and were read back. So whoever
//! ends a copy midway leaves whole backups, and the next copy goes on from there.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::{Engine, EngineError, Phase, Run};
use crate::model::{BackupId, BackupKind, Manifest, State};
use crate::store::{Held, Lock, Mode, Reader, Store, StoreError};

/// Time for which a copy waits for a sweep to end.
const PATIENCE: Duration = Duration::from_mins(1);

/// Request for a copy: the backups, and the other store.
#[derive(Debug, Clone, Default)]
pub struct CopyRequest {
    /// The place of the other store, which is made if it is not there.
    pub to: String,
    /// These backups; without any, all.
    pub ids: Vec<BackupId>,
    /// Safety backups are left out where no ids are given.
    pub without_safety: bool,
}

/// Result of a copy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CopyReport {
    /// The other store.
    pub to: String,
    /// Backups that were copied, oldest first.
    pub copied: Vec<BackupId>,
    /// Backups that were there already.
    pub present: Vec<BackupId>,
    /// Backups that could not be copied.
    pub refused: Vec<NotCopied>,
    /// Chunks that travelled.
    pub new_chunks: u64,
    /// Bytes of the packs that hold them.
    pub stored_bytes: u64,
}

/// A backup that could not be copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCopied {
    pub backup_id: BackupId,
    /// Why not.
    pub why: String,
}

/// A copy under way.
struct Copying<'a> {
    from: &'a Store,
    to: &'a Store,
    reader: Reader,
    held: &'a Held,
    /// All backups of the store that is copied, oldest first.
    order: Vec<BackupId>,
    run: &'a Run,
}

/// Returns whether two backups are one and the same, in whatever stores.
fn is_same(one: &Manifest, other: &Manifest) -> bool {
    let roots = |manifest: &Manifest| manifest.trees().map(|part| part.root).collect::<Vec<_>>();
    one.identity() == other.identity() && roots(one) == roots(other)
}

/// Returns whether it is a safety backup that nobody asked for.
fn is_left_out(manifest: &Manifest, request: &CopyRequest) -> bool {
    let is_safety = manifest.backup_type == BackupKind::PreRestore;
    request.without_safety && request.ids.is_empty() && is_safety
}

/// Returns the state of a backup laid over that of its copy. Whether it is whole is known of each
/// store by itself.
fn carried(state: &State, over: &State) -> State {
    let mut labels = over.labels.clone();
    labels.extend(state.labels.clone());
    State {
        description: state.description.clone().or_else(|| over.description.clone()),
        pinned: state.pinned,
        labels,
        restore_tested: state.restore_tested || over.restore_tested,
        last_restore: state.last_restore.clone().max(over.last_restore.clone()),
        verification: over.verification.clone(),
        file_sizes: over.file_sizes.clone().or_else(|| state.file_sizes.clone()),
        other: over.other.clone(),
    }
}

impl Engine {
    /// Copies backups into another store. Backups that are there already get what was said of them
    /// since.
    ///
    /// # Errors
    /// If an id is unknown, or a store cannot be used. A backup that is damaged, or whose id is taken in
    /// the other store, is reported and holds up no other.
    pub async fn copy(&self, request: &CopyRequest, run: &Run) -> Result<CopyReport, EngineError> {
        run.begin(Phase::Copying, None);
        let order = self.store.backups().await?;
        for id in &request.ids {
            if !order.contains(id) {
                return Err(StoreError::NoSuchBackup(id.clone()).into());
            }
        }
        let to = Store::open_or_create(&request.to.parse()?).await?;
        if is_same_place(&self.store, &to) {
            return Err(EngineError::CopyOntoItself);
        }
        // A store that is only read has no lock, and nobody of this account sweeps it.
        let source = self.store.lock(Lock::Objects, Mode::Shared, "copy", PATIENCE).await;
        let source = match source {
            Err(error @ StoreError::Busy { .. }) => return Err(error.into()),
            held => held.ok(),
        };
        let held = to.lock(Lock::Objects, Mode::Shared, "copy", PATIENCE).await?;
        let reader = self.store.reader().await?;
        let from = &self.store;
        let copying = Copying { from, to: &to, reader, held: &held, order, run };
        let report = copying.all(request).await;
        held.release().await;
        if let Some(source) = source {
            source.release().await;
        }
        let report = report?;
        run.begin(Phase::Done, None);
        Ok(report)
    }
}

/// Returns whether both are in one folder, or have one name.
fn is_same_place(one: &Store, other: &Store) -> bool {
    let real = |store: &Store| store.folder().and_then(|folder| folder.canonicalize().ok());
    match (real(one), real(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one.place() == other.place(),
    }
}

impl Copying<'_> {
    async fn all(&self, request: &CopyRequest) -> Result<CopyReport, EngineError> {
        let mut report = CopyReport {
            to: self.to.place().to_owned(),
            copied: Vec::new(),
            present: Vec::new(),
            refused: Vec::new(),
            new_chunks: 0,
            stored_bytes: 0,
        };
        let wanted: BTreeSet<_> = request.ids.iter().collect();
        let (mut missing, mut rows) = (Vec::new(), 0);
        for id in &self.order {
            if !wanted.is_empty() && !wanted.contains(id) {
                continue;
            }
            match self.look(id).await {
                Ok((manifest, _)) if is_left_out(&manifest, request) => {}
                Ok((_, true)) => report.present.push(id.clone()),
                Ok((manifest, false)) => {
                    rows += manifest.trees().map(|part| part.rows).sum::<u64>();
                    missing.push(manifest);
                }
                // Deleted meanwhile.
                Err(StoreError::NoSuchBackup(_)) => {}
                Err(error) => report.refused.push(refused(id, error)?),
            }
        }
        self.run.begin(Phase::Copying, Some(rows));
        for manifest in missing {
            let id = manifest.backup_id.clone();
            match self.one(manifest, &mut report).await {
                Ok(()) => report.copied.push(id),
                Err(error) => report.refused.push(refused(&id, error)?),
            }
        }
        Ok(report)
    }

    /// A backup, and whether the other store has it. If so, what was said of it since goes along.
    async fn look(&self, id: &BackupId) -> Result<(Manifest, bool), StoreError> {
        let manifest = self.from.manifest(id).await?;
        match self.to.manifest(id).await {
            Err(StoreError::NoSuchBackup(_)) => return Ok((manifest, false)),
            Err(StoreError::ManifestDamaged { .. }) => {
                return Err(StoreError::IdTaken(id.clone()));
            }
            Ok(there) if !is_same(&manifest, &there) => {
                return Err(StoreError::IdTaken(id.clone()));
            }
            there => drop(there?),
        }
        let state = self.from.state(id).await?;
        self.to.change_state(id, |there| *there = carried(&state, there)).await?;
        Ok((manifest, true))
    }

    /// Copies a backup that the other store lacks.
    async fn one(&self, mut manifest: Manifest, report: &mut CopyReport) -> Result<(), StoreError> {
        let id = manifest.backup_id.clone();
        let state = carried(&self.from.state(&id).await?, &State::default());
        let progress = self.run.progress_sender();
        let tell = move |rows, bytes| progress.advance(rows, bytes);
        let written = self.to.transfer(self.reader.clone(), &manifest, tell).await?;
        report.new_chunks += written.new_chunks;
        report.stored_bytes += written.stored_bytes;
        manifest.added_size = written.stored_bytes;
        manifest.store = Some(self.to.parameters().into());
        self.to.confirm(&written).await?;
        let (claimed, is_newest) = self.to.claim_copy(&manifest, &self.order).await?;
        manifest.imported = !is_newest;
        manifest.name(claimed);
        self.to.publish_held(self.held, &written, &manifest, &state).await
    }
}

/// A backup that cannot be copied; any other failure ends the copy.
fn refused(backup_id: &BackupId, error: StoreError) -> Result<NotCopied, StoreError> {
    let why = match &error {
        StoreError::IdTaken(_) => "another backup has its id in the other store".to_owned(),
        StoreError::ManifestDamaged { .. } | StoreError::StateDamaged { .. } => error.to_string(),
        error if error.is_about_a_chunk() => format!("it is damaged: {error}"),
        _ => return Err(error),
    };
    Ok(NotCopied { backup_id: backup_id.clone(), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_backup_goes_along_and_its_verification_does_not() {
        let mut source = State { pinned: true, ..State::default() };
        source.labels.insert("change".into(), "CHG1".into());
        source.verification = Some(crate::model::Verification {
            verified_at: "2025-09-20T14:30:00Z".into(),
            damage: vec!["gone".into()],
        });
        let mut there = State { description: Some("kept".into()), ..State::default() };
        there.labels.insert("site".into(), "b".into());
        let after = carried(&source, &there);
        assert!(after.pinned && after.verification.is_none());
        assert_eq!(after.description.as_deref(), Some("kept"));
        assert_eq!(after.labels.len(), 2);
    }
}
