//! Restore = verify(target) + capture(live), which is also the safety backup + diff + apply + prove.
//!
//! One path for a one-row slip and for an empty database. Everything that touches the database
//! happens in one transaction; until its commit nothing is lost by stopping.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio_util::task::AbortOnDropHandle;

use crate::engine::capture::backup::lasting;
use crate::engine::capture::live::named_if_blocked;
use crate::engine::restore::fit::Fit;
use crate::engine::restore::load::Loading;
use crate::engine::restore::locks::RestoreLocks;
use crate::engine::restore::options::RestoreOptions;
use crate::engine::restore::records::{Exchange, OtherRows};
use crate::engine::restore::report::{RestoreResults, by_dataset};
use crate::engine::restore::verify_result::{prove_sequences, start_of_check};
use crate::engine::snapshot::{Labelled, Snapshot};
use crate::engine::{Engine, EngineError, Phase, Run};
use crate::model::{
    BackupId, BackupKind, CaptureMode, Manifest, PartManifest, PerDataset, Profile, RowCounts,
    Sameness, Schema, SequenceValue, Source, rfc3339,
};
use crate::postgres::{Apply, Session, Site, Staged};
use crate::store::{Writer, Written};
use crate::threads::Haste;

/// Characters that the description of a safety backup has at most.
const LONGEST_DESCRIPTION: usize = 200;

/// Deleted rows are looked for by their keys up to this number; beyond, the keys of all rows are read.
const MOST_GONE: u64 = 100_000;

/// Fewer new rows than this are written before indexes could be made anew.
const MANY: u64 = 1_000;

/// Result of a restore.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// By dataset.
    pub datasets: PerDataset<RestoreResults>,
    /// Effects on rows of tables that are not backed up.
    pub other_rows: Vec<OtherRows>,
    /// The backup of what was replaced; restoring it is the undo.
    pub safety_backup: Option<BackupId>,
    /// The rows that were read back equal the backup. Nothing is committed otherwise.
    pub proven: bool,
    /// Whether for that all rows were read back, or those that the restore wrote.
    #[serde(default)]
    pub read_back: CaptureMode,
    /// Milliseconds from the request for the tables' locks that was granted to the end of the transaction: the
    /// longest time that a writer can have waited.
    #[serde(default)]
    pub locked_ms: u64,
    /// Only a part was asked for. Then the proof is that what was selected equals the backup, and
    /// that nothing else changed.
    pub partial: bool,
    /// The database whose rows were replaced.
    pub target: Source,
    /// Columns that were added or altered since the backup, and what became of them; one sentence each.
    pub schema_drift: Vec<String>,
}

/// A restore that was done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Restored {
    /// The backup that was restored.
    pub backup_id: BackupId,
    /// The changes.
    pub restore_results: Report,
    /// Time when it was done.
    pub at: DateTime<Utc>,
    /// Failures beside the restore, and objects that do not follow the rows by themselves.
    pub notes: Vec<String>,
}

/// Time that the database may take for the work after the commit.
const AFTERWARDS: Duration = Duration::from_mins(5);

/// The verification of the backup that is restored.
type Verifying = AbortOnDropHandle<Result<(), EngineError>>;

async fn verified(verifying: Verifying) -> Result<(), EngineError> {
    verifying.await.expect("verifying a backup does not panic")
}

/// Whether a sequence stands further from zero than it does now: a merge never sets one back.
fn is_ahead(sequence: &SequenceValue, live: &[SequenceValue]) -> bool {
    let now = live.iter().find(|now| now.name == sequence.name);
    now.is_some_and(|now| sequence.next.unsigned_abs() > now.next.unsigned_abs())
}

/// The tables of which at least a tenth changed: as many as autovacuum takes for many.
fn much_changed<'p>(parts: &'p [PartManifest], staged: &Staged) -> BTreeSet<&'p str> {
    let changed = |part: &PartManifest| staged.get(part.name.as_str()).map_or(0, RowCounts::rows);
    let much = parts.iter().filter(|part| changed(part) > part.rows / 10);
    much.map(|part| part.table.as_str()).collect()
}

/// The tables that get at least a hundred rows for each that they have, if all get [`MANY`].
fn nearly_empty<'p>(parts: &'p [PartManifest], staged: &Staged) -> BTreeSet<&'p str> {
    let mut tables: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for part in parts {
        let (live, inserted) = tables.entry(&part.table).or_default();
        *live += part.rows;
        *inserted += staged.get(part.name.as_str()).map_or(0, |counts| counts.added);
    }
    if tables.values().map(|(_, inserted)| inserted).sum::<u64>() < MANY {
        return BTreeSet::new();
    }
    let filled = tables.into_iter().filter(|(_, (live, inserted))| inserted / 100 >= *live);
    filled.map(|(table, _)| table).collect()
}

/// Does useful work that is not needed: the restore is committed.
async fn tidy_up(session: &mut Session, site: &Site, live: &Schema, changed: &BTreeSet<&str>) {
    if let Err(error) = session.drop_temporary_indexes(site).await {
        tracing::warn!(
            "could not drop a temporary restore index (will retry on the next restore): {error}"
        );
    }
    // Plans made for the old rows may suit the new ones badly; no plan is wrong, though.
    if let Err(error) = session.analyze(live, changed).await {
        tracing::warn!("could not analyze the tables: {error}");
    }
}

impl Engine {
    /// Makes the live rows exactly those of the backup.
    ///
    /// # Errors
    /// In every case the database is as it was; only of [`Kind::OutcomeUnknown`](crate::engine::Kind::OutcomeUnknown) that is not known. A
    /// safety backup that was made before the failure stays.
    pub async fn restore(
        &self,
        id: &BackupId,
        options: &RestoreOptions,
        run: &Run,
    ) -> Result<Restored, EngineError> {
        let _haste = Haste::begin();
        let what = format!("restore of {id}");
        let locks = self.lock_for_restore(&what, options.safety_backup).await?;
        let manifest = self.store.manifest(id).await?;
        // First the writer: what the verification finds must not be mended by the safety backup, so that a
        // restore is refused or not whichever is faster.
        let writer = if options.safety_backup { Some(self.store.writer().await?) } else { None };
        // Beside everything up to the first write.
        let verifying = self.begin_verification(&manifest, run);
        let mut session = match Box::pin(self.connect(run)).await {
            Ok(session) => session,
            // Damage is worth knowing, even where the database is out of reach.
            Err(error) => return Err(verified(verifying).await.err().unwrap_or(error)),
        };
        // On the heap: the future is large, and callers hold this one within theirs.
        let done = Box::pin(self.rewind(
            &mut session,
            (&manifest, verifying, writer),
            options,
            &locks,
            run,
        ))
        .await;
        let (report, mut notes) = named_if_blocked(&mut session, done).await?;
        // From here on it is done, whatever becomes of the rest.
        if options.is_all() {
            notes.extend(self.note_restore(&manifest).await.err());
        }
        notes.extend(locks.note.clone());
        locks.release().await;
        run.begin(Phase::Done, None);
        Ok(Restored { backup_id: id.clone(), restore_results: report, at: self.now(), notes })
    }

    /// The transaction: lock, keep, compare, apply, prove, commit.
    async fn rewind(
        &self,
        session: &mut Session,
        (manifest, verifying, writer): (&Manifest, Verifying, Option<Writer>),
        options: &RestoreOptions,
        locks: &RestoreLocks,
        run: &Run,
    ) -> Result<(Report, Vec<String>), EngineError> {
        run.begin(Phase::Locking, None);
        let (site, remark) = self.checked_site(session, manifest, options).await?;
        // What an earlier restore could not take back would only be in the way.
        if let Err(error) = session.drop_temporary_indexes(&site).await {
            tracing::debug!("could not drop a temporary index of an earlier restore: {error}");
        }
        let locked = session.begin_exclusive(&site, options.lock_patience).await?;
        // Again, now that nobody can alter the tables any more. A table that is left alone counts as one
        // outside.
        let fit = self.fit(session, &site, manifest, options).await?;
        let (live, kept) = self.keep(session, &site, (manifest, &fit), writer, run).await?;
        options.refuse_other_state(&manifest.backup_id, live.fingerprint())?;
        let written = site.only(&fit.tables());
        let surroundings = session.surroundings(&written).await?;

        run.begin(Phase::Verifying, None);
        verified(verifying).await?;
        run.begin(Phase::Comparing, None);
        // Both are read with one reader: what it has of one side, it need not read for the other.
        let profile = &live.profile;
        let covered = live.clone().not_covering(&manifest.not_covered);
        let restored = self.project(&covered, &fit.restored).await?;
        let target = Snapshot::of(manifest.clone(), live.reader.clone());
        let target = target.with_tables_of(&fit.restored);
        let rules = session.write_rules(&fit.restored).await?;
        let records = session.records(&site).await?;
        let mut apply = Apply::new(session, &fit.restored, &rules).keeping(&fit.added);
        let loading = if options.selection.is_all() && manifest.covers_whole_tables() {
            self.load_empty_tables(&mut apply, &restored, &target).await?
        } else {
            Loading::default()
        };
        self.stage_changes(&mut apply, (&fit.restored, &rules), &restored, &target).await?;

        run.begin(Phase::Applying, None);
        self.narrow(&mut apply, (manifest, options)).await?;
        let staged = apply.staged().await?;
        let before = (manifest, &live.info, &live.reader);
        let exchange = self.exchange(&mut apply, records, before, &staged, options).await?;
        // What goes must be in the backup of what is replaced, before anything is written.
        let safety = self
            .publish_safety(&mut apply, (&live, kept), &exchange, (manifest, options), locks)
            .await?;
        let covered = |sequence: &&SequenceValue| {
            options.selection.covers_sequence(profile, &sequence.name, &fit.restored)
                && (!options.merge || is_ahead(sequence, &live.sequences))
        };
        let sequences: Vec<_> = manifest.sequences.iter().filter(covered).cloned().collect();
        let nearly_empty = nearly_empty(&restored.parts, &staged);
        let done = apply.write(&written, &surroundings, &nearly_empty, &sequences).await;
        loading.finish(done).await?;
        let other_rows = exchange.carry_out(&mut apply).await?;

        let gone = apply.gone(MOST_GONE).await?;

        run.begin(Phase::Proving, None);
        let start = start_of_check(&live, gone, options.verify_result);
        let read_back = if options.is_all() && fit.is_exact() && manifest.not_covered.is_empty() {
            self.prove_all(session, &fit.live, (manifest, start), run).await?
        } else {
            let (sides, check) = ((&live, &target), (&fit, start));
            self.prove_selected(session, sides, check, &staged, run).await?
        };
        if options.is_all() {
            prove_sequences(session, &fit.restored, manifest).await?;
        }
        // Without them another restore may run, or a cleanup that knows nothing of the safety backup.
        locks.check().await?;
        run.begin(Phase::Committing, None);
        session.commit().await?;
        let locked_ms = u64::try_from(locked.elapsed().as_millis()).unwrap_or(u64::MAX);
        let changed = much_changed(&live.parts, &staged);
        let afterwards = tidy_up(session, &site, &fit.live, &changed);
        if tokio::time::timeout(AFTERWARDS, afterwards).await.is_err() {
            tracing::warn!("the database does not answer after the commit");
        }
        let unchanged = RestoreResults::unchanged(&live);
        let report = Report {
            datasets: RestoreResults::over(&unchanged, &by_dataset(profile, &staged)),
            other_rows,
            safety_backup: safety,
            proven: true,
            read_back,
            locked_ms,
            partial: !options.is_all(),
            target: Source::from(&live.info),
            schema_drift: fit.drift,
        };
        Ok((report, surroundings.notes().into_iter().chain(remark).collect()))
    }

    /// Reads what is about to be replaced, over two sessions if that can be.
    async fn keep(
        &self,
        session: &mut Session,
        site: &Site,
        (manifest, fit): (&Manifest, &Fit),
        writer: Option<Writer>,
        run: &Run,
    ) -> Result<(Snapshot, Option<Written>), EngineError> {
        let tables = (manifest.profile(), fit.live.clone());
        let Some(mut beside) = session.beside(site).await else {
            return self.keep_as_read(&mut [session], tables, writer, run).await;
        };
        run.register(&beside);
        let both = &mut [session, &mut beside];
        let (live, written) = self.keep_as_read(both, tables, writer, run).await?;
        beside.rollback().await?;
        // Not this session's: its transaction goes on.
        lasting(&mut beside, live.info.point.clone()).await?;
        Ok((live, written))
    }

    /// Reads what is about to be replaced: with a writer into the store, to be a backup of its own; then with
    /// what was written.
    async fn keep_as_read(
        &self,
        sessions: &mut [&mut Session],
        (profile, schema): (&Arc<Profile>, Schema),
        writer: Option<Writer>,
        run: &Run,
    ) -> Result<(Snapshot, Option<Written>), EngineError> {
        if let Some(writer) = writer {
            let start = self.base().await?;
            let tables = (profile, schema);
            let (captured, writer) =
                self.capture_into_store(writer, sessions, tables, start, run).await?;
            let written = writer.finish().await?;
            return Ok((captured.readable(self.store.reader().await?), Some(written)));
        }
        let store = self.store.reader().await?;
        Ok((self.capture_aside(sessions, (profile, schema), &store, run).await?, None))
    }

    /// Publishes the backup of what is about to be replaced, with the records that go.
    async fn publish_safety(
        &self,
        apply: &mut Apply<'_>,
        (live, written): (&Snapshot, Option<Written>),
        exchange: &Exchange<'_>,
        (manifest, options): (&Manifest, &RestoreOptions),
        locks: &RestoreLocks,
    ) -> Result<Option<BackupId>, EngineError> {
        let Some(mut written) = written else { return Ok(None) };
        let mut safety = live.clone();
        safety.info.point = apply.lasting(safety.info.point).await?;
        let records = exchange.records.as_ref().filter(|_| exchange.chosen > 0);
        if let Some(records) = records.zip(live.profile.records_part().as_ref()) {
            let (removed, more) = self.keep_records(apply, records).await?;
            safety.removed.push(removed);
            written = written.and(more);
        }
        let label = Labelled {
            description: Some(self.before_restore_of(manifest).await),
            created_by: options.created_by.clone().unwrap_or_else(|| "system".into()),
            kind: BackupKind::PreRestore,
            automatic: false,
        };
        Ok(Some(self.publish(locks.objects(), &safety, &written, &label).await?.backup_id))
    }

    /// The description of a safety backup: names the backup that is restored, as people call it.
    async fn before_restore_of(&self, manifest: &Manifest) -> String {
        let id = &manifest.backup_id;
        // What was said of it later cannot be known where its state is damaged.
        let later = self.store.state(id).await.ok().and_then(|state| state.description);
        let name = later.as_ref().unwrap_or(&manifest.description);
        let whole = format!("Before restore of {id}: {name}");
        match whole.char_indices().nth(LONGEST_DESCRIPTION) {
            Some((end, _)) => format!("{}…", &whole[..end]),
            None => whole,
        }
    }

    /// The live tables, if all that can be told before they are locked is in order, and a remark on
    /// whether this is the database of the backup.
    async fn checked_site(
        &self,
        session: &mut Session,
        manifest: &Manifest,
        options: &RestoreOptions,
    ) -> Result<(Site, Option<String>), EngineError> {
        session.begin_look().await?;
        let source = Source::from(&manifest.snapshot).compare(&session.source().await?);
        let remark = match source {
            Sameness::Same(remark) => remark,
            Sameness::Other(why) if options.into_other_database => Some(why),
            Sameness::Other(why) => {
                return Err(EngineError::OtherDatabase { id: manifest.backup_id.clone(), why });
            }
        };
        self.refuse_foreign(manifest.profile())?;
        let site = session.site(manifest.profile()).await?;
        let fit = self.fit(session, &site, manifest, options).await?;
        self.refuse_unknown(session, &fit.live, manifest, &options.selection).await?;
        session.surroundings(&site).await?;
        session.rollback().await?;
        Ok((site, remark))
    }

    /// Notes in the backup's state that it was restored; a sentence if that cannot be.
    async fn note_restore(&self, manifest: &Manifest) -> Result<(), String> {
        let id = &manifest.backup_id;
        let now = rfc3339(self.now());
        let noted = self.store.change_state(id, |state| {
            state.restore_tested = true;
            state.last_restore = Some(now.clone());
        });
        noted.await.map(drop).map_err(|error| {
            tracing::warn!(
                "could not record the restore: {}",
                EngineError::from(error).chain().join(": ")
            );
            format!("the store could not note that backup {id} was restored")
        })
    }
}
