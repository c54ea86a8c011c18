//! One backup of a copy: is it there and whole, and if not, what is to be sent?

use std::time::Duration;

use super::{CopyReport, CopyRequest, is_left_out};
use crate::engine::{Engine, EngineError, Phase, Run};
use crate::model::{BackupId, Manifest, State, Status};
use crate::store::{
    Held, Lock, Mode, SeenChunks, Store, StoreError,
    TransferError::{self, Source, Target},
};

/// Time for which a copy waits for a sweep of the other store to end.
const PATIENCE: Duration = Duration::from_mins(1);
/// Attempts to send a backup: one that is found damaged there afterwards is sent once more.
const ATTEMPTS: usize = 2;

/// A copy under way.
pub struct Copying<'a> {
    engine: &'a Engine,
    to: Store,
    /// All backups of the store that is copied, oldest first.
    pub order: Vec<BackupId>,
    seen: SeenChunks,
    pub run: &'a Run,
}

/// State of a backup in the other store.
pub enum Found {
    Present,
    /// Its state could not be read there, and is written again.
    StateRepaired,
    /// It was there after an earlier copy.
    Deleted,
    /// It is not to be copied.
    LeftOut,
    ToSend(Box<Manifest>, Lacking),
}

/// The part of a backup that the other store lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacking {
    All,
    /// Its manifest cannot be read there.
    Manifest,
    /// Chunks are lost or damaged there, or were when it was last verified.
    Chunks,
}

/// Reason why a backup is not copied.
pub enum Refusal {
    /// It was deleted meanwhile.
    Gone,
    Because(String),
}

/// Returns whether two backups are one and the same, in whatever stores.
fn is_same(one: &Manifest, other: &Manifest) -> bool {
    let roots = |manifest: &Manifest| manifest.trees().map(|part| part.root).collect::<Vec<_>>();
    one.identity() == other.identity() && roots(one) == roots(other)
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

impl<'a> Copying<'a> {
    pub fn new(
        engine: &'a Engine,
        to: Store,
        order: Vec<BackupId>,
        seen: SeenChunks,
        run: &'a Run,
    ) -> Self {
        Self { engine, to, order, seen, run }
    }

    /// Finds out how the other store has a backup. If it has it, what was said of it since goes along.
    pub async fn look(
        &mut self,
        id: &BackupId,
        request: &CopyRequest,
    ) -> Result<Found, TransferError> {
        let manifest = self.engine.store.manifest(id).await.map_err(Source)?;
        if is_left_out(&manifest, request) {
            return Ok(Found::LeftOut);
        }
        let state = self.engine.store.state(id).await.map_err(Source)?;
        match self.to.manifest(id).await {
            Err(StoreError::NoSuchBackup(_)) => return Ok(self.missing(manifest, &state, request)),
            Err(StoreError::ManifestDamaged { .. }) => {
                return Ok(Found::ToSend(Box::new(manifest), Lacking::Manifest));
            }
            Ok(there) if !is_same(&manifest, &there) => {
                return Err(Target(StoreError::IdTaken(id.clone())));
            }
            there => drop(there.map_err(Target)?),
        }
        let damaged = matches!(self.to.state(id).await, Err(StoreError::StateDamaged { .. }));
        let there = self.say(id, &state).await.map_err(Target)?;
        if there.status() == Status::Corrupt || self.lacks_chunks(&manifest).await? {
            return Ok(Found::ToSend(Box::new(manifest), Lacking::Chunks));
        }
        Ok(if damaged { Found::StateRepaired } else { Found::Present })
    }

    fn missing(&self, manifest: Manifest, state: &State, request: &CopyRequest) -> Found {
        let Some(earlier) = &request.earlier else {
            return Found::ToSend(Box::new(manifest), Lacking::All);
        };
        let same_store = earlier.store_id.as_ref() == Some(&self.to.parameters().store_id);
        if same_store && earlier.copied.contains(&manifest.backup_id) {
            return Found::Deleted;
        }
        match state.status() {
            // Told already, by whoever found it.
            Status::Corrupt => Found::LeftOut,
            Status::Completed => Found::ToSend(Box::new(manifest), Lacking::All),
        }
    }

    /// Carries the state of a backup over to its copy.
    async fn say(&self, id: &BackupId, state: &State) -> Result<State, StoreError> {
        let anew = carried(state, &State::default());
        self.to.change_state_or_begin(id, &anew, |there| *there = carried(state, there)).await
    }

    async fn lacks_chunks(&mut self, manifest: &Manifest) -> Result<bool, TransferError> {
        let reader = self.engine.store.reader().await.map_err(Source)?;
        match self.to.lacks_chunks(reader, manifest, &mut self.seen).await {
            // What is damaged here cannot tell what is lacking there.
            Err(Source(error)) if error.is_about_a_chunk() => Ok(false),
            lacks => lacks,
        }
    }

    /// Sends what the other store lacks of a backup.
    pub async fn send_one(
        &mut self,
        manifest: &Manifest,
        what: Lacking,
        report: &mut CopyReport,
    ) -> Result<(), EngineError> {
        let id = &manifest.backup_id;
        for attempt in 1..=ATTEMPTS {
            let error = match self.send(manifest, what, report).await {
                Ok(()) if what == Lacking::All => {
                    report.copied.push(id.clone());
                    return Ok(());
                }
                Ok(()) => match self.verify_there(id).await? {
                    None => {
                        report.repaired.push(id.clone());
                        return Ok(());
                    }
                    Some(_) if attempt < ATTEMPTS => continue,
                    Some(damage) => {
                        let why =
                            format!("its copy is damaged and could not be repaired: {damage}");
                        report.refuse(id.clone(), why);
                        return Ok(());
                    }
                },
                Err(error) => error,
            };
            match error {
                // What arrived damaged is set aside, so another attempt sends it anew.
                Target(error) if error.is_about_a_chunk() && attempt < ATTEMPTS => {}
                Source(error) if error.is_about_a_chunk() && attempt < ATTEMPTS => {
                    // It may have been moved by a sweep; only a verification tells.
                    match self.damage_here(id).await? {
                        Some(Refusal::Gone) => return Ok(()),
                        Some(Refusal::Because(why)) => {
                            report.refuse(id.clone(), why);
                            return Ok(());
                        }
                        None => {}
                    }
                }
                error => {
                    if let Refusal::Because(why) = self.refusal(id, error).await? {
                        report.refuse(id.clone(), why);
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn send(
        &mut self,
        manifest: &Manifest,
        what: Lacking,
        report: &mut CopyReport,
    ) -> Result<(), TransferError> {
        let held = self.to.lock(Lock::Objects, Mode::Shared, "copy", PATIENCE).await;
        let held = held.map_err(Target)?;
        let sent = self.send_holding(&held, manifest.clone(), what, report).await;
        held.release().await;
        sent
    }

    async fn send_holding(
        &mut self,
        held: &Held,
        mut manifest: Manifest,
        what: Lacking,
        report: &mut CopyReport,
    ) -> Result<(), TransferError> {
        let id = manifest.backup_id.clone();
        let state = self.engine.store.state(&id).await.map_err(Source)?;
        let state = carried(&state, &State::default());
        let progress = self.run.progress_sender();
        let tell = move |rows, bytes| progress.advance(rows, bytes);
        let reader = self.engine.store.reader().await.map_err(Source)?;
        let written = self.to.transfer(reader, &manifest, &mut self.seen, tell).await?;
        report.new_chunks += written.new_chunks;
        report.stored_bytes += written.stored_bytes;
        self.to.confirm(&written).await.map_err(Target)?;
        if what == Lacking::Chunks {
            return Ok(());
        }
        manifest.added_size = written.stored_bytes;
        manifest.store = Some(self.to.parameters().into());
        let claimed = self.to.claim_copy(&manifest, &self.order).await;
        let (claimed, is_newest) = claimed.map_err(Target)?;
        manifest.imported = !is_newest;
        manifest.name(claimed);
        if what == Lacking::Manifest {
            let again = self.to.publish_again_in_place(held, &manifest, &state).await;
            return again.map_err(Target);
        }
        match self.to.publish_held(held, &written, &manifest, &state).await {
            // Another copy was faster, perhaps with the same backup.
            Err(taken @ StoreError::IdTaken(_)) => {
                let there = self.to.manifest(&id).await.map_err(Target)?;
                if is_same(&manifest, &there) { Ok(()) } else { Err(Target(taken)) }
            }
            published => published.map_err(Target),
        }
    }

    /// Verifies a backup in the other store, which remembers the result; says what is damaged.
    async fn verify_there(&self, id: &BackupId) -> Result<Option<String>, EngineError> {
        let there = Engine::new(self.to.clone(), None).with_clock(self.engine.clock.clone());
        let verified = there.verify(std::slice::from_ref(id), self.run).await;
        self.run.begin(Phase::Copying, None);
        let report = verified.map_err(|error| match error {
            EngineError::Store(error) => self.failed(Target(error)),
            other => other,
        })?;
        Ok(report.backups.into_iter().flat_map(|backup| backup.damage).next())
    }

    /// Verifies a backup that could not be read, so that its damage is remembered.
    async fn damage_here(&self, id: &BackupId) -> Result<Option<Refusal>, EngineError> {
        let verified = self.engine.verify(std::slice::from_ref(id), self.run).await;
        self.run.begin(Phase::Copying, None);
        let report = match verified {
            Err(EngineError::Store(StoreError::NoSuchBackup(_))) => return Ok(Some(Refusal::Gone)),
            report => report?,
        };
        if report.deleted.contains(id) {
            return Ok(Some(Refusal::Gone));
        }
        let damage = report.backups.into_iter().flat_map(|backup| backup.damage).next();
        Ok(damage.map(|damage| Refusal::Because(format!("it is damaged: {damage}"))))
    }

    /// Returns why a backup cannot be copied; any other failure ends the copy.
    pub async fn refusal(
        &self,
        id: &BackupId,
        error: TransferError,
    ) -> Result<Refusal, EngineError> {
        let why = match error {
            Source(StoreError::NoSuchBackup(_)) => return Ok(Refusal::Gone),
            Target(StoreError::IdTaken(_)) => "another backup has its id in the other store".into(),
            Source(
                error @ (StoreError::ManifestDamaged { .. } | StoreError::StateDamaged { .. }),
            ) => error.to_string(),
            Source(error) if error.is_about_a_chunk() => match self.damage_here(id).await? {
                Some(refusal) => return Ok(refusal),
                None => return Err(error.into()),
            },
            other => return Err(self.failed(other)),
        };
        Ok(Refusal::Because(why))
    }

    fn failed(&self, error: TransferError) -> EngineError {
        EngineError::of_transfer(error, self.to.place())
    }
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
