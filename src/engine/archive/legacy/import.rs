//! Import of files of another form, whose rows lack columns.
//!
//! They are put in the place of the live tables, within a transaction that is rolled back, and then
//! captured like them. PostgreSQL itself so brings every value into its own form, and what the files
//! lack comes from the live row with the same natural key (`postgres/legacy.sql`). Nothing of the
//! database is changed.

use crate::engine::capture::base::Start;
use tokio::sync::mpsc;

use crate::engine::archive::import::{ImportOptions, Imported, NewBackup, SYSTEM, note_author};
use crate::engine::archive::legacy::files::OlderBackup;
use crate::engine::archive::rebuild::malformed;
use crate::engine::snapshot::{Labelled, Snapshot};
use crate::engine::{BackupInfo, Engine, EngineError, Phase, Run};
use crate::model::{BackupKind, Dataset, Profile, Schema, State, Status, rfc3339};
use crate::postgres::{OLDER_TABLES, Session, Site};
use crate::store::{Held, Written};
use crate::threads;

/// A block of rows is sent once it has so many bytes.
const BLOCK: usize = 128 << 10;

/// Files whose rows are in the store.
struct Taken {
    older: OlderBackup,
    captured: Snapshot<()>,
    written: Written,
    notes: Vec<String>,
}

impl Engine {
    /// Makes a backup of files of another form, unless it is here already.
    pub(in crate::engine) async fn import_older(
        &self,
        older: OlderBackup,
        options: &ImportOptions,
        held: &Held,
        run: &Run,
    ) -> Result<Imported, EngineError> {
        self.refuse_future(&older, options)?;
        if let Some(known) = self.imported_before(&older).await? {
            return Ok(known);
        }
        run.begin(Phase::Importing, None);
        let mut session = self.connect(run).await?;
        let site = self.look(&mut session, Profile::builtin()).await?;
        site.refuse_incomplete()?;
        session.begin_scratch_snapshot(&site).await?;
        let taken = self.take_older(&mut session, &site, older, run).await?;
        session.rollback().await?;
        let Taken { older, captured, written, mut notes } = taken;
        if older.id.as_str() != older.origin.name {
            notes.push(format!(
                "{} is the time in {}: in UTC, as ids are, it is {}",
                older.origin.name, options.time_zone, older.id
            ));
        }
        let created_by = options.created_by.clone().unwrap_or_else(|| SYSTEM.into());
        let mut state = State::default();
        note_author(&mut state, &older.created_by, &created_by);
        let label = Labelled {
            description: older.description,
            created_by,
            kind: BackupKind::Full,
            automatic: false,
        };
        let origin = Some(older.origin);
        let new = NewBackup { id: older.id, captured, written, label, state, origin, notes };
        Box::pin(self.publish_as(new, held, run)).await
    }

    fn refuse_future(
        &self,
        older: &OlderBackup,
        options: &ImportOptions,
    ) -> Result<(), EngineError> {
        if older.taken.max(older.id.second()) <= self.now() {
            return Ok(());
        }
        Err(malformed(format!(
            "{} would be from the future ({}) in {}; name the zone of the machine that wrote it with --time-zone",
            older.origin.name,
            rfc3339(older.taken),
            options.time_zone
        )))
    }

    /// The backup that was made of the same files, if it is sound.
    async fn imported_before(&self, older: &OlderBackup) -> Result<Option<Imported>, EngineError> {
        let same =
            |manifest: &crate::model::Manifest| manifest.origin.as_ref() == Some(&older.origin);
        let (found, _) =
            self.store.manifests(|manifest| same(&manifest).then_some(manifest)).await?;
        for manifest in found.into_iter().flatten() {
            let id = manifest.backup_id.clone();
            let state = self.store.state(&id).await?;
            if state.status() == Status::Completed {
                let note = format!(
                    "these files are backup {id} already, so nothing was added; to import them again, delete it \
                     first"
                );
                return Ok(Some(Imported {
                    backup_info: BackupInfo::new(&manifest, &state),
                    backup_id: id,
                    notes: vec![note],
                }));
            }
        }
        Ok(None)
    }

    /// Takes the rows into the store.
    async fn take_older(
        &self,
        session: &mut Session,
        site: &Site,
        older: OlderBackup,
        run: &Run,
    ) -> Result<Taken, EngineError> {
        let profile = Profile::builtin();
        let live = session.schema(site).await?;
        let sequences = session.sequence_values(&live).await?;
        let (at, datasets) =
            (rfc3339(older.taken), older.files.keys().cloned().collect::<Vec<_>>());
        let (sender, lines) = mpsc::channel(4);
        let reading = threads::spawn(move || read(&older, &sender).map(|()| older));
        let staged = session.stage_older(&live, (&at, &datasets), lines).await;
        let read = reading.await.expect("reading does not panic");
        // A file that cannot be read also ends the stream, and so does a server that takes no more:
        // what came first is the error to tell.
        if matches!(read, Err(EngineError::Interrupted)) {
            staged?;
            return Err(EngineError::Interrupted);
        }
        let older = read?;
        staged?;
        let made_up = session.fill_older().await?;
        let mut faults = made_up.faults;
        if faults.is_empty() {
            faults = session.refused_older(&live).await?;
        }
        if !faults.is_empty() {
            return Err(malformed(format!(
                "its rows could not be restored: {}; mend the files, or the rows of the database that their \
                 values were taken from",
                faults.join("; ")
            )));
        }
        let not_covered = not_covered(&datasets);
        let staged = as_staged(live.clone().covered(profile, &not_covered));
        let sessions = &mut [&mut *session];
        let writer = self.store.writer().await?;
        let start = Start::full("it is read from files");
        let (mut captured, writer) =
            self.capture_into_store(writer, sessions, (profile, staged), start, run).await?;
        captured.schema = live.clone();
        captured.sequences = sequences;
        captured.taken = older.taken;
        captured.info.taken_at = at;
        captured.info.visible = String::new();
        captured.info.wal_position = None;
        captured.info.point = None;
        captured.capture = None;
        let mut notes = made_up.notes;
        notes.extend(said_of(&not_covered, &live));
        let captured = captured.not_covering(&not_covered);
        Ok(Taken { older, captured, written: writer.finish().await?, notes })
    }
}

/// The parts that files of these datasets do not cover.
fn not_covered(datasets: &[Dataset]) -> Vec<String> {
    let parts = Profile::builtin().parts.iter();
    let left = parts.filter(|part| {
        !OLDER_TABLES.contains(&part.table.as_str()) || !datasets.contains(&part.dataset)
    });
    left.map(|part| part.name.clone()).collect()
}

/// What is not covered, in a sentence.
fn said_of(not_covered: &[String], live: &Schema) -> Option<String> {
    let parts = not_covered.iter().filter_map(|name| Profile::builtin().part(name));
    let parts = parts.filter(|part| live.table(&part.table).is_some());
    let named: Vec<_> = parts.map(|part| format!("{} ({})", part.name, part.table)).collect();
    (!named.is_empty()).then(|| {
        format!(
            "the files do not have {}: the backup does not cover that, and a restore leaves those rows alone",
            named.join(", ")
        )
    })
}

/// The tables where the staged rows are.
fn as_staged(mut schema: Schema) -> Schema {
    for table in &mut schema.tables {
        table.namespace = Some("pg_temp".into());
    }
    schema
}

/// Sends the rows of all files, in blocks.
fn read(older: &OlderBackup, lines: &mpsc::Sender<Vec<u8>>) -> Result<(), EngineError> {
    let mut block = Vec::with_capacity(2 * BLOCK);
    // A receiver that went away has its own reason to tell, or nobody waits any more.
    let gone = |_| EngineError::Interrupted;
    older.each(|line| {
        block.append(line);
        if block.len() < BLOCK {
            return Ok(());
        }
        let full = std::mem::replace(&mut block, Vec::with_capacity(2 * BLOCK));
        lines.blocking_send(full).map_err(gone)
    })?;
    lines.blocking_send(block).map_err(gone)
}
