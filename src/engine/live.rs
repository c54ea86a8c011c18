//! The live database as a snapshot: capture, and the words around it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::capture::{Sinks, TreeRules, capture};
use super::{Engine, EngineError, Phase, Run};
use crate::model::{
    BackupId, BackupKind, Dataset, DatasetSummary, FORMAT_VERSION, Hash, Manifest, Parameters,
    PartManifest, RemovedRows, Schema, SequenceValue, SnapshotInfo, rfc3339, timestamp,
};
use crate::postgres::{Session, Site};
use crate::store::{Reader, Store};
use crate::tree::split::Splitter;

/// A snapshot that was read, before it becomes a backup or is compared with one.
#[derive(Debug, Clone)]
pub struct Captured {
    /// When it was taken, by this machine's clock.
    pub taken: DateTime<Utc>,
    /// The tables.
    pub schema: Schema,
    /// The trees.
    pub parts: Vec<PartManifest>,
    /// Where the sequences stood.
    pub sequences: Vec<SequenceValue>,
    /// What identifies it.
    pub snapshot: SnapshotInfo,
    /// Rows beside the datasets that are kept for the undo.
    pub removed: Vec<RemovedRows>,
}

/// What a manifest says beside the snapshot.
#[derive(Debug)]
pub struct Labelled {
    /// What people call it; the documented default if none is given.
    pub description: Option<String>,
    /// Who asked.
    pub created_by: String,
    /// Why it is made.
    pub kind: BackupKind,
}

impl Captured {
    /// The manifest of a backup of this snapshot.
    pub fn manifest(&self, id: BackupId, label: &Labelled, added_size: u64) -> Manifest {
        let default = || format!("Backup created on {}", self.taken.format("%Y-%m-%d %H:%M:%S"));
        let name = |dataset: Dataset| (dataset, dataset.file_name(&id));
        Manifest {
            format: FORMAT_VERSION,
            timestamp: timestamp(self.taken),
            created_at: rfc3339(self.taken),
            description: label.description.clone().unwrap_or_else(default),
            created_by: label.created_by.clone(),
            backup_type: label.kind,
            files: Dataset::ALL.map(name).into(),
            backup_id: id,
            datasets: self.datasets(),
            parts: self.parts.clone(),
            size: self.parts.iter().map(|part| part.bytes).sum(),
            added_size,
            snapshot: self.snapshot.clone(),
            sequences: self.sequences.clone(),
            schema: self.schema.clone(),
            number: None,
            imported: false,
            store: None,
            removed: self.removed.clone(),
        }
    }

    fn datasets(&self) -> BTreeMap<Dataset, DatasetSummary> {
        let summary = |dataset| {
            let parts: Vec<_> = self.parts.iter().filter(|part| part.dataset == dataset).collect();
            let roots: Vec<u8> = parts.iter().flat_map(|part| part.root.0).collect();
            let summary = DatasetSummary {
                rows: parts.iter().map(|part| part.rows).sum(),
                bytes: parts.iter().map(|part| part.bytes).sum(),
                root: Hash::of(&roots),
            };
            (dataset, summary)
        };
        Dataset::ALL.map(summary).into()
    }
}

/// How many rows this backup has: about what there is to read now.
pub fn rows(newest: Option<&Manifest>) -> Option<u64> {
    newest.map(|newest| newest.parts.iter().map(|part| part.rows).sum())
}

/// The result; if a lock could not be had in time, with its holders.
pub async fn named_if_blocked<T>(
    session: &mut Session,
    result: Result<T, EngineError>,
) -> Result<T, EngineError> {
    match result {
        Err(error) => Err(name_blockers(session, error).await),
        done => done,
    }
}

async fn name_blockers(session: &mut Session, error: EngineError) -> EngineError {
    match error {
        EngineError::Database(error) => session.name_blockers(error).await.into(),
        other => other,
    }
}

/// A capture that is compared with backups and then forgotten: its new chunks lie in a store of
/// their own, which goes with the reader.
pub struct Passing {
    /// The snapshot.
    pub captured: Captured,
    /// Reads its chunks, and all of the real store.
    pub reader: Reader,
}

impl Engine {
    /// A session of this run.
    pub(super) async fn connect(&self, run: &Run) -> Result<Session, EngineError> {
        let session = Session::connect_waiting(self.database()?, self.lock_timeout).await?;
        run.register(&session);
        Ok(session)
    }

    /// Sessions that see one snapshot of the tables, and what these look like.
    pub(super) async fn snapshot(&self, run: &Run) -> Result<(Vec<Session>, Schema), EngineError> {
        let mut first = self.connect(run).await?;
        match self.snapshot_over(&mut first, run).await {
            Ok((second, schema)) => Ok((std::iter::once(first).chain(second).collect(), schema)),
            Err(error) => Err(name_blockers(&mut first, error).await),
        }
    }

    async fn snapshot_over(
        &self,
        first: &mut Session,
        run: &Run,
    ) -> Result<(Option<Session>, Schema), EngineError> {
        let site = self.look(first).await?;
        site.refuse_incomplete()?;
        first.begin_snapshot(&site).await?;
        let second = self.share_snapshot(first, &site, run).await?;
        Ok((second, first.schema(&site).await?))
    }

    /// What the database has of the tables, by the role's own search path.
    pub(super) async fn look(&self, session: &mut Session) -> Result<Site, EngineError> {
        session.begin_look().await?;
        let site = session.site().await?;
        session.rollback().await?;
        Ok(site)
    }

    /// A second session that sees what the first one does, if there is one to be had: two read faster
    /// than one.
    pub(super) async fn share_snapshot(
        &self,
        first: &mut Session,
        site: &Site,
        run: &Run,
    ) -> Result<Option<Session>, EngineError> {
        let Some(mut second) = first.sibling().await else {
            return Ok(None);
        };
        run.register(&second);
        Ok(second.begin_shared(first, site).await?.then_some(second))
    }

    /// The rules for the trees of what this engine reads.
    pub(super) fn tree_rules(&self) -> TreeRules {
        let Parameters { leaf_factor, node_factor, .. } = *self.store.parameters();
        TreeRules { splitter: Splitter { leaf_factor, node_factor }, max_row: self.max_row }
    }

    /// Reads the snapshot that these sessions see.
    pub(super) async fn capture<S: Sinks>(
        &self,
        sessions: &mut [&mut Session],
        schema: Schema,
        sinks: &S,
        run: &Run,
    ) -> Result<Captured, EngineError> {
        let taken = self.now();
        let snapshot = sessions[0].snapshot_info(schema.fingerprint()).await?;
        let parts = capture(sessions, &schema, self.tree_rules(), sinks, run).await?;
        let sequences = sessions[0].sequence_values(&schema).await?;
        Ok(Captured { taken, schema, parts, sequences, snapshot, removed: Vec::new() })
    }

    /// Reads the live database for a comparison.
    pub(super) async fn capture_passing(
        &self,
        store: &Reader,
        run: &Run,
    ) -> Result<Passing, EngineError> {
        let (mut sessions, schema) = self.snapshot(run).await?;
        let mut readers: Vec<_> = sessions.iter_mut().collect();
        let passing = self.capture_aside(&mut readers, schema, store, run).await;
        let passing = named_if_blocked(&mut sessions[0], passing).await?;
        for mut session in sessions {
            session.rollback().await?;
        }
        Ok(passing)
    }

    /// Reads the snapshot that these sessions see, without adding to the store, of which `store` is
    /// a reader.
    pub(super) async fn capture_aside(
        &self,
        sessions: &mut [&mut Session],
        schema: Schema,
        store: &Reader,
        run: &Run,
    ) -> Result<Passing, EngineError> {
        run.begin(Phase::Reading, rows(self.newest().await.as_ref()));
        let aside = Store::scratch(&std::env::temp_dir()).await?;
        let writer = aside.writer_beyond(&[self.store.proven_index().await?]).await?;
        let sinks = super::sink::IntoStore::new(writer);
        let captured = self.capture(sessions, schema, &sinks, run).await?;
        sinks.into_writer().finish().await?;
        let reader = aside.reader_over(store.clone()).await?;
        Ok(Passing { captured, reader })
    }

    /// The newest backup whose manifest can be read.
    pub(super) async fn newest(&self) -> Option<Manifest> {
        for id in self.store.backups().await.ok()?.iter().rev() {
            if let Ok(manifest) = self.store.manifest(id).await {
                return Some(manifest);
            }
        }
        None
    }
}
