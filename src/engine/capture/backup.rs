//! Backup = capture + publish the manifest.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::engine::capture::base::{Reading, Start};
use crate::engine::capture::live::{named_if_blocked, rows};
use crate::engine::capture::sink::IntoStore;
use crate::engine::snapshot::{Labelled, Snapshot};
use crate::engine::{BackupInfo, Engine, EngineError, Phase, Run};
use crate::model::{
    BackupId, BackupKind, Manifest, MissingTable, Profile, ReadPoint, Schema, State, check_author,
    check_description,
};
use crate::postgres::Session;
use crate::store::{Held, Lock, Mode, StoreError, Writer, Written};

/// How long a backup waits for a sweep to end.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct BackupRequest {
    /// What people will call it.
    pub description: Option<String>,
    /// Who asks; `system` if nobody does.
    pub created_by: Option<String>,
    /// Whether to go on where the database lacks a table that the backup before has.
    pub allow_missing_tables: bool,
    /// Which rows to read.
    pub reading: Reading,
    /// Whether it is made since something has changed; then the changes are its description.
    pub automatic: bool,
}

impl BackupRequest {
    fn label(self) -> Result<Labelled, EngineError> {
        let description = self.description.filter(|text| !text.trim().is_empty());
        let created_by = self.created_by.unwrap_or_else(|| "system".into());
        let checked = description.as_deref().map_or(Ok(()), check_description);
        let checked = checked.and_then(|()| check_author(&created_by));
        checked.map_err(EngineError::MalformedAnnotation)?;
        let automatic = self.automatic;
        Ok(Labelled { description, created_by, kind: BackupKind::Full, automatic })
    }
}

/// A new backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BackupCreated {
    pub backup_id: BackupId,
    /// Its metadata.
    pub backup_info: BackupInfo,
    /// When it was done.
    pub at: DateTime<Utc>,
}

/// The point of a snapshot, if a crash of the server cannot undo what the snapshot saw. Between two
/// transactions.
pub(in crate::engine) async fn lasting(
    session: &mut Session,
    point: Option<ReadPoint>,
) -> Result<Option<ReadPoint>, EngineError> {
    let Some(point) = point else { return Ok(None) };
    Ok(session.make_durable(&point).await?.then_some(point))
}

impl Engine {
    /// Makes a backup.
    ///
    /// # Errors
    /// If the texts of the request are too long or hold control characters; if the database cannot
    /// be read or the store not be written. The list of backups is then what
    /// it was.
    pub async fn backup(
        &self,
        request: BackupRequest,
        run: &Run,
    ) -> Result<BackupCreated, EngineError> {
        let (allow_missing, reading) = (request.allow_missing_tables, request.reading);
        let mut label = request.label()?;
        let held = self.store.lock(Lock::Objects, Mode::Shared, "backup", PATIENCE).await?;
        let manifest = match self.try_backup(&held, &mut label, (allow_missing, reading), run).await
        {
            Err(EngineError::Store(StoreError::SweptMeanwhile(_))) => {
                self.try_backup(&held, &mut label, (allow_missing, reading), run).await?
            }
            done => done?,
        };
        held.release().await;
        run.begin(Phase::Done, None);
        Ok(BackupCreated {
            backup_id: manifest.backup_id.clone(),
            backup_info: BackupInfo::new(&manifest, &State::default()),
            at: self.now(),
        })
    }

    async fn try_backup(
        &self,
        held: &Held,
        label: &mut Labelled,
        (allow_missing, reading): (bool, Reading),
        run: &Run,
    ) -> Result<Manifest, EngineError> {
        let (mut sessions, schema) = self.snapshot(&self.profile, run).await?;
        if !allow_missing {
            self.refuse_missing_tables(&schema).await?;
        }
        let mut readers: Vec<_> = sessions.iter_mut().collect();
        let start = self.start(reading).await?;
        let tables = (&self.profile, schema);
        let writer = self.store.writer().await?;
        let captured = self.capture_into_store(writer, &mut readers, tables, start, run).await;
        let (mut captured, writer) = named_if_blocked(&mut sessions[0], captured).await?;
        // The server need not keep the snapshot while the last packs are stored.
        for session in &mut sessions {
            session.rollback().await?;
        }
        captured.info.point = lasting(&mut sessions[0], captured.info.point).await?;
        let written = writer.finish().await?;
        if label.automatic && label.description.is_none() {
            label.description = self.describe_changes(&captured).await?;
        }
        self.publish(held, &captured, &written, label).await
    }

    /// Refuses to leave out what the newest backup has.
    async fn refuse_missing_tables(&self, schema: &Schema) -> Result<(), EngineError> {
        let Some(newest) = self.newest().await else { return Ok(()) };
        let had = |missing: &MissingTable| newest.schema.table(&missing.table).is_some();
        let missing: Vec<_> = schema.lacking(&self.profile).into_iter().filter(had).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(EngineError::TablesMissing { missing, before: newest.backup_id })
    }

    /// Captures what these sessions see. Its chunks are in the store once the writer has finished;
    /// they are no backup yet.
    pub(in crate::engine) async fn capture_into_store(
        &self,
        writer: Writer,
        sessions: &mut [&mut Session],
        (profile, schema): (&Arc<Profile>, Schema),
        start: Start,
        run: &Run,
    ) -> Result<(Snapshot<()>, Writer), EngineError> {
        let earlier = match start.base() {
            Some(base) => Some(base.snapshot.clone()),
            None => self.newest_snapshot().await?,
        };
        run.begin(Phase::Reading, rows(&start, earlier.as_ref()));
        let sinks = match earlier {
            Some(earlier) => IntoStore::after(writer, earlier, &schema),
            None => IntoStore::new(writer),
        };
        let captured = self.capture(sessions, (profile, schema), start, &sinks, run).await?;
        let mut writer = sinks.into_writer();
        writer.put_with_base(profile.id(), &profile.bytes(), None)?;
        Ok((captured, writer))
    }

    /// Publishes a backup that was taken just now: the newest from now on.
    pub(in crate::engine) async fn publish<R>(
        &self,
        held: &Held,
        captured: &Snapshot<R>,
        written: &Written,
        label: &Labelled,
    ) -> Result<Manifest, EngineError> {
        let id = BackupId::at(captured.taken);
        let manifest = captured.manifest(id, label, written.stored_bytes);
        Box::pin(self.publish_manifest(held, manifest, written, &State::default(), false)).await
    }

    /// Publishes a backup under its id or, if that was ever used, the first after it that was not.
    /// One that was `imported` takes its place in time.
    pub(in crate::engine) async fn publish_manifest(
        &self,
        held: &Held,
        mut manifest: Manifest,
        written: &Written,
        state: &State,
        imported: bool,
    ) -> Result<Manifest, EngineError> {
        self.store.confirm(written).await?;
        manifest.store = Some(self.store.parameters().into());
        manifest.imported = imported;
        loop {
            let claimed = self.store.claim(&manifest, imported).await?;
            manifest.name(claimed);
            manifest.stop_if_mismatched();
            match self.store.publish_held(held, written, &manifest, state).await {
                Ok(()) => return Ok(manifest),
                Err(StoreError::IdTaken(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
