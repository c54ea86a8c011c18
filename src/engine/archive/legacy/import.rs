//! Import of a backup of the older form, whose rows lack columns.
//!
//! It is put in the place of the live tables, within a transaction that is rolled back, and then
//! captured like them. PostgreSQL itself so brings every value into its own form, and what the files
//! lack comes from the live row with the same natural key (`postgres/legacy.sql`). Nothing of the
//! database is changed.

use tokio::sync::mpsc;

use crate::engine::archive::import::{Imported, NewBackup, SYSTEM, note_author};
use crate::engine::archive::legacy::files::OlderBackup;
use crate::engine::archive::rebuild::malformed;
use crate::engine::snapshot::Labelled;
use crate::engine::{Engine, EngineError, Phase, Run};
use crate::model::{BackupKind, Profile, State, rfc3339};
use crate::store::Held;
use crate::threads;

/// A block of rows is sent once it has so many bytes.
const BLOCK: usize = 128 << 10;

impl Engine {
    /// Makes a backup of one of the older form.
    pub(in crate::engine) async fn import_older(
        &self,
        older: OlderBackup,
        held: &Held,
        run: &Run,
    ) -> Result<Imported, EngineError> {
        run.begin(Phase::Importing, None);
        let mut session = self.connect(run).await?;
        let profile = Profile::builtin();
        let site = self.look(&mut session, profile).await?;
        site.refuse_incomplete()?;
        session.begin_scratch_snapshot(&site).await?;
        let live = session.schema(&site).await?;
        let sequences = session.sequence_values(&live).await?;
        let taken = rfc3339(older.taken);
        let (sender, lines) = mpsc::channel(4);
        let reading = threads::spawn(move || read(&older, &sender).map(|()| older));
        let staged = session.stage_older(&live, &taken, lines).await;
        let read = reading.await.expect("reading does not panic");
        // A file that cannot be read also ends the stream, and so does a server that takes no more:
        // what came first is the error to tell.
        if matches!(read, Err(EngineError::Interrupted)) {
            staged?;
            return Err(EngineError::Interrupted);
        }
        let older = read?;
        staged?;
        let mut schema = live.clone();
        let made_up = session.fill_older(&mut schema).await?;
        if !made_up.faults.is_empty() {
            return Err(malformed(made_up.faults.join("; ")));
        }
        let (mut captured, writer) =
            self.capture_into_store(&mut [&mut session], profile, schema, run).await?;
        session.rollback().await?;
        let written = writer.finish().await?;

        let mut notes = made_up.notes;
        let addresses = captured.parts.iter().find(|part| part.name == "device42_ipaddresses");
        if let Some(addresses) = addresses {
            notes.push(format!(
                "the older form does not hold the table {}: its {} rows and its sequence are those of now",
                addresses.table, addresses.rows
            ));
        }
        captured.schema = live;
        captured.sequences = sequences;
        captured.taken = older.taken;
        captured.info.taken_at = taken;
        captured.info.visible = String::new();
        captured.info.wal_position = None;
        let label = Labelled {
            description: older.description,
            created_by: SYSTEM.into(),
            kind: BackupKind::Full,
        };
        let mut state = State::default();
        note_author(&mut state, &older.created_by, SYSTEM);
        let new = NewBackup { id: older.id, captured, written, label, state, notes };
        self.publish_as(new, held, run).await
    }
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
