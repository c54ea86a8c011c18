//! The live database as a snapshot: capture, and the words around it.

use std::sync::Arc;

use crate::engine::capture::base::Start;
use crate::engine::capture::reading::{Tables, read};
use crate::engine::capture::scan::{Sinks, TreeRules};
use crate::engine::snapshot::Snapshot;
use crate::engine::{Engine, EngineError, Phase, Run};
use crate::model::{CaptureMode, Manifest, Parameters, Profile, Schema, rfc3339};
use crate::postgres::{Session, Site};
use crate::store::{Reader, Store};
use crate::tree::split::Splitter;

/// Number of rows of an earlier snapshot: about as many as there are to read now, if all are.
pub fn rows(start: &Start, earlier: Option<&Snapshot>) -> Option<u64> {
    let all = !matches!(start, Start::Since(_));
    let earlier = earlier.filter(|_| all);
    earlier.map(|earlier| earlier.parts.iter().map(|part| part.rows).sum())
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

impl Engine {
    /// A session of this run.
    pub(in crate::engine) async fn connect(&self, run: &Run) -> Result<Session, EngineError> {
        let session = Session::connect_waiting(self.database()?, self.lock_timeout).await?;
        run.register(&session);
        Ok(session)
    }

    /// Sessions that see one snapshot of the tables, and what these look like.
    pub(in crate::engine) async fn snapshot(
        &self,
        profile: &Arc<Profile>,
        run: &Run,
    ) -> Result<(Vec<Session>, Schema), EngineError> {
        let mut first = self.connect(run).await?;
        match self.snapshot_over(&mut first, profile, run).await {
            Ok((second, schema)) => Ok((std::iter::once(first).chain(second).collect(), schema)),
            Err(error) => Err(name_blockers(&mut first, error).await),
        }
    }

    async fn snapshot_over(
        &self,
        first: &mut Session,
        profile: &Arc<Profile>,
        run: &Run,
    ) -> Result<(Option<Session>, Schema), EngineError> {
        let site = self.look(first, profile).await?;
        site.refuse_incomplete()?;
        first.begin_snapshot(&site).await?;
        let second = self.share_snapshot(first, &site, run).await?;
        Ok((second, first.schema(&site).await?))
    }

    /// Looks up what the database has of the tables, by the role's own search path. The conditions of the
    /// profile are SQL that the session runs, so one that comes from elsewhere is refused.
    pub(in crate::engine) async fn look(
        &self,
        session: &mut Session,
        profile: &Arc<Profile>,
    ) -> Result<Site, EngineError> {
        self.refuse_foreign(profile)?;
        session.begin_look().await?;
        let site = session.site(profile).await?;
        session.rollback().await?;
        Ok(site)
    }

    /// A second session that sees what the first one does, if there is one to be had: two read faster
    /// than one.
    pub(in crate::engine) async fn share_snapshot(
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
    pub(in crate::engine) fn tree_rules(&self) -> TreeRules {
        let Parameters { leaf_factor, node_factor, .. } = *self.store.parameters();
        TreeRules { splitter: Splitter { leaf_factor, node_factor }, max_row: self.max_row }
    }

    /// Reads the snapshot that these sessions see.
    pub(in crate::engine) async fn capture<S: Sinks>(
        &self,
        sessions: &mut [&mut Session],
        (profile, schema): (&Arc<Profile>, Schema),
        start: Start,
        sinks: &S,
        run: &Run,
    ) -> Result<Snapshot<()>, EngineError> {
        let (profile, taken) = (profile.clone(), self.now());
        let info = sessions[0].snapshot_info(&schema).await?;
        let tables = Tables { profile: &profile, schema: &schema, info: &info };
        let rules = self.tree_rules();
        // On the heap: the future is large.
        let reading = Box::pin(read(sessions, tables, start, rules, sinks, run));
        let (parts, mut capture) = reading.await?;
        if capture.mode == CaptureMode::Full {
            capture.last_full = Some(rfc3339(taken));
        }
        let capture = Some(capture);
        let sequences = sessions[0].sequence_values(&schema).await?;
        let (removed, not_covered, reader) = (Vec::new(), Vec::new(), ());
        Ok(Snapshot {
            profile,
            schema,
            parts,
            sequences,
            taken,
            info,
            removed,
            not_covered,
            capture,
            reader,
        })
    }

    /// Reads the live database for a comparison.
    pub(in crate::engine) async fn capture_passing(
        &self,
        profile: &Arc<Profile>,
        store: &Reader,
        run: &Run,
    ) -> Result<Snapshot, EngineError> {
        let (mut sessions, schema) = self.snapshot(profile, run).await?;
        let mut readers: Vec<_> = sessions.iter_mut().collect();
        let passing = self.capture_aside(&mut readers, (profile, schema), store, run).await;
        let passing = named_if_blocked(&mut sessions[0], passing).await?;
        for mut session in sessions {
            session.rollback().await?;
        }
        Ok(passing)
    }

    /// Reads the snapshot that these sessions see, without adding to the store, of which `store` is
    /// a reader.
    pub(in crate::engine) async fn capture_aside(
        &self,
        sessions: &mut [&mut Session],
        (profile, schema): (&Arc<Profile>, Schema),
        store: &Reader,
        run: &Run,
    ) -> Result<Snapshot, EngineError> {
        let start = self.base().await?;
        run.begin(Phase::Reading, rows(&start, self.newest_snapshot().await?.as_ref()));
        let aside = Store::scratch(&tempfile::env::temp_dir()).await?;
        let writer = aside.writer_beyond(&[self.store.proven_index().await?]).await?;
        let sinks = crate::engine::capture::sink::IntoStore::new(writer);
        let captured = self.capture(sessions, (profile, schema), start, &sinks, run).await?;
        sinks.into_writer().finish().await?;
        Ok(captured.readable(aside.reader_over(store.clone()).await?))
    }

    /// The newest backup whose manifest can be read, as a snapshot.
    pub(in crate::engine) async fn newest_snapshot(&self) -> Result<Option<Snapshot>, EngineError> {
        let Some(newest) = self.newest().await else { return Ok(None) };
        Ok(Some(Snapshot::of(newest, self.store.reader().await?)))
    }

    /// The newest backup whose manifest can be read.
    pub(in crate::engine) async fn newest(&self) -> Option<Manifest> {
        for id in self.store.backups().await.ok()?.iter().rev() {
            if let Ok(manifest) = self.store.manifest(id).await {
                return Some(manifest);
            }
        }
        None
    }
}
