//! Import: an archive becomes the backup that it was made of, proven by its root hashes.
//!
//! Its rows are made into trees again, which must be those that the archive's manifest names; only
//! then is the backup published. Whatever is wrong before leaves chunks that nothing refers to, for
//! the next sweep.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::io::AsyncRead;
use tokio_util::sync::CancellationToken;

use crate::engine::archive::describe::Described;
use crate::engine::archive::incoming::{Incoming, feed};
use crate::engine::archive::legacy::files::OlderBackup;
use crate::engine::archive::names::METADATA;
use crate::engine::archive::rebuild::{Rebuild, malformed};
use crate::engine::archive::unpack::{self, Begun, Unpacking};
use crate::engine::archive::zone::TimeZone;
use crate::engine::capture::scan::TreeRules;
use crate::engine::capture::sink::IntoStore;
use crate::engine::progress::ProgressSender;
use crate::engine::snapshot::{Labelled, Snapshot};
use crate::engine::{BackupInfo, Engine, EngineError, Phase, Run};
use crate::model::{
    BackupId, Origin, PartManifest, Profile, RemovedRows, SnapshotInfo, State, check_label,
};
use crate::store::{Held, Lock, Mode, Writer, Written};
use crate::threads;

/// The author of what nobody known asked for.
pub(in crate::engine) const SYSTEM: &str = "system";
/// The label with the author whom an archive names.
const AUTHOR_LABEL: &str = "archive/created_by";

/// How long an import waits for a sweep to end.
const PATIENCE: Duration = Duration::from_mins(1);

/// How an import is to be done.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// Who asks; `system` if nobody does. Files cannot name the author: whom they name is kept as a label.
    pub created_by: Option<String>,
    /// The zone of times that files of another form have without one.
    pub time_zone: TimeZone,
}

/// The new backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Imported {
    /// The backup's id: the archive's, or the next that was free.
    pub backup_id: BackupId,
    /// Its metadata.
    pub backup_info: BackupInfo,
    /// What is worth knowing: another id, what had to be made up. A sentence each.
    pub notes: Vec<String>,
}

/// What is to become a backup; its chunks are in the store.
pub(in crate::engine) struct NewBackup {
    /// The id that it should have.
    pub id: BackupId,
    /// Its rows.
    pub captured: Snapshot<()>,
    /// What was written for it.
    pub written: Written,
    /// What it says of itself.
    pub label: Labelled,
    /// The state that it begins with.
    pub state: State,
    /// The files of another form that it was made of.
    pub origin: Option<Origin>,
    /// What is worth knowing.
    pub notes: Vec<String>,
}

/// What a thread needs to make trees in this store.
struct Workshop {
    writer: Writer,
    newest: Option<Snapshot>,
    rules: TreeRules,
    profile: Arc<Profile>,
    progress: ProgressSender,
    stop: CancellationToken,
}

/// What came as an archive.
enum Arrived {
    /// The archive of a backup.
    Archive(Box<Proven>),
    /// Files of another form, unpacked.
    Files(TempDir),
}

/// An archive whose rows are in the store, and proven.
struct Proven {
    described: Described,
    parts: Vec<PartManifest>,
    writer: Writer,
}

/// Keeps the author that an archive names, unless it is the one that the backup has here. It proves
/// nothing: whoever made the archive could write any name.
pub(in crate::engine) fn note_author(state: &mut State, named: &str, author: &str) {
    let fits = check_label(AUTHOR_LABEL, named).is_ok();
    if named != author && fits && !state.labels.contains_key(AUTHOR_LABEL) {
        state.labels.insert(AUTHOR_LABEL.into(), named.into());
    }
}

impl Engine {
    /// Makes a backup of an archive that [`Engine::export_archive`] made.
    ///
    /// # Errors
    /// [`EngineError::MalformedArchive`] says what is wrong with it; if the store cannot be written.
    /// The list of backups is then what it was.
    pub async fn import_archive(
        &self,
        archive: impl AsyncRead + Send + Unpin,
        run: &Run,
    ) -> Result<Imported, EngineError> {
        self.import_archive_with(&ImportOptions::default(), archive, run).await
    }

    /// As [`Engine::import_archive`], or of a tar archive of files of another form, for which the database
    /// is needed.
    ///
    /// # Errors
    /// As [`Engine::import_archive`].
    pub async fn import_archive_with(
        &self,
        options: &ImportOptions,
        archive: impl AsyncRead + Send + Unpin,
        run: &Run,
    ) -> Result<Imported, EngineError> {
        let held = self.store.lock(Lock::Objects, Mode::Shared, "import", PATIENCE).await?;
        let workshop = self.workshop(run).await?;
        let _ended = workshop.stop.clone().drop_guard();
        let (sender, incoming) = Incoming::new();
        let work = threads::spawn(move || workshop.archive(incoming));
        feed(archive, sender).await;
        let imported = match work.await.expect("an import does not panic")? {
            Arrived::Archive(proven) => self.publish_imported(options, *proven, &held, run).await?,
            Arrived::Files(folder) => {
                let older = OlderBackup::find(folder.path(), options.time_zone)?;
                let older =
                    older.ok_or_else(|| malformed(format!("its first file is not {METADATA}")))?;
                self.import_older(older, options, &held, run).await?
            }
        };
        held.release().await;
        Ok(imported)
    }

    /// Makes a backup of a folder: an unpacked archive, or files of another form, for which the
    /// database is needed.
    ///
    /// # Errors
    /// As [`Engine::import_archive`]; if the folder cannot be read.
    pub async fn import_folder(&self, folder: &Path, run: &Run) -> Result<Imported, EngineError> {
        self.import_folder_with(&ImportOptions::default(), folder, run).await
    }

    /// As [`Engine::import_folder`].
    ///
    /// # Errors
    /// As [`Engine::import_folder`].
    pub async fn import_folder_with(
        &self,
        options: &ImportOptions,
        folder: &Path,
        run: &Run,
    ) -> Result<Imported, EngineError> {
        let held = self.store.lock(Lock::Objects, Mode::Shared, "import", PATIENCE).await?;
        if let Some(older) = OlderBackup::find(folder, options.time_zone)? {
            let imported = self.import_older(older, options, &held, run).await?;
            held.release().await;
            return Ok(imported);
        }
        let workshop = self.workshop(run).await?;
        let _ended = workshop.stop.clone().drop_guard();
        let folder = folder.to_owned();
        let work = threads::spawn(move || workshop.folder(&folder));
        let proven = work.await.expect("an import does not panic")?;
        let imported = self.publish_imported(options, proven, &held, run).await?;
        held.release().await;
        Ok(imported)
    }

    async fn workshop(&self, run: &Run) -> Result<Workshop, EngineError> {
        run.begin(Phase::Importing, None);
        Ok(Workshop {
            newest: self.newest_snapshot().await?,
            writer: self.store.writer().await?,
            rules: self.tree_rules(),
            profile: self.profile.clone(),
            progress: run.progress_sender(),
            stop: CancellationToken::new(),
        })
    }

    async fn publish_imported(
        &self,
        options: &ImportOptions,
        proven: Proven,
        held: &Held,
        run: &Run,
    ) -> Result<Imported, EngineError> {
        let Proven { described, mut parts, writer } = proven;
        let mut state = described.state();
        let manifest = described.manifest;
        let beside = parts.split_off(manifest.parts.len());
        let removed = beside.into_iter().zip(manifest.removed.clone());
        let created_by = options.created_by.clone().unwrap_or_else(|| SYSTEM.into());
        note_author(&mut state, &manifest.created_by, &created_by);
        let new = NewBackup {
            id: manifest.backup_id.clone(),
            captured: Snapshot {
                profile: manifest.profile().clone(),
                taken: manifest.instant(),
                schema: manifest.schema,
                parts,
                sequences: manifest.sequences,
                // Both speak of the store and the server that it came from.
                info: SnapshotInfo { point: None, ..manifest.snapshot },
                capture: None,
                removed: removed.map(|(part, old)| RemovedRows { part, ..old }).collect(),
                not_covered: manifest.not_covered,
                reader: (),
            },
            written: writer.finish().await?,
            label: Labelled {
                description: Some(manifest.description),
                created_by,
                kind: manifest.backup_type,
                automatic: false,
            },
            state,
            origin: manifest.origin,
            notes: Vec::new(),
        };
        Box::pin(self.publish_as(new, held, run)).await
    }

    /// Publishes an imported backup under its own id, or the next that is free.
    pub(in crate::engine) async fn publish_as(
        &self,
        new: NewBackup,
        held: &Held,
        run: &Run,
    ) -> Result<Imported, EngineError> {
        let NewBackup { id, captured, written, label, state, origin, mut notes } = new;
        if captured.taken > self.now() + chrono::Duration::days(1) {
            return Err(malformed(format!("backup {id} is from the future")));
        }
        let mut manifest = captured.manifest(id.clone(), &label, written.stored_bytes);
        manifest.origin = origin;
        manifest.imported = true;
        let broken = self.broken_rules(&manifest).await?;
        if !broken.is_empty() {
            return Err(malformed(broken.join("; ")));
        }
        let manifest = self.publish_manifest(held, manifest, &written, &state, true).await?;
        if manifest.backup_id != id {
            let same = self.store.manifest(&id).await;
            let same = same.is_ok_and(|other| other.datasets == manifest.datasets);
            let which = if same { "a backup with the same rows" } else { "another backup" };
            notes.insert(0, format!("the id {id} is taken by {which}"));
        }
        run.begin(Phase::Done, None);
        Ok(Imported {
            backup_id: manifest.backup_id.clone(),
            backup_info: BackupInfo::new(&manifest, &state),
            notes,
        })
    }
}

impl Workshop {
    fn archive(self, archive: impl Read) -> Result<Arrived, EngineError> {
        let mut unpacking = Unpacking::new(archive);
        let mut members = unpacking.members()?;
        match unpack::begin(&mut members, &self.profile)? {
            Begun::Archive(described) => {
                let read = |rebuild: &mut Rebuild<'_>| unpack::datasets(&mut members, rebuild);
                Ok(Arrived::Archive(Box::new(self.prove(*described, read)?)))
            }
            Begun::Files(folder) => {
                unpack::files(&mut members, folder.path())?;
                Ok(Arrived::Files(folder))
            }
        }
    }

    fn folder(self, folder: &Path) -> Result<Proven, EngineError> {
        let described = unpack::folder_metadata(folder, &self.profile)?;
        self.prove(described, |rebuild| unpack::folder_datasets(folder, rebuild))
    }

    /// Makes the trees of what `read` reads, and proves that they are those of the manifest.
    fn prove(
        self,
        described: Described,
        read: impl FnOnce(&mut Rebuild<'_>) -> Result<(), EngineError>,
    ) -> Result<Proven, EngineError> {
        let manifest = &described.manifest;
        let rows = manifest.parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.rows));
        self.progress.begin(Phase::Importing, rows);
        let sinks = match self.newest {
            Some(newest) => IntoStore::after(self.writer, newest, &manifest.schema),
            None => IntoStore::new(self.writer),
        };
        let mut rebuild = Rebuild {
            manifest,
            sinks,
            rules: self.rules,
            original: described.splitter(),
            progress: self.progress,
            stop: self.stop,
            made: std::collections::BTreeMap::new(),
        };
        read(&mut rebuild)?;
        let (parts, sinks) = rebuild.finish()?;
        let (mut writer, profile) = (sinks.into_writer(), manifest.profile());
        writer.put_with_base(profile.id(), &profile.bytes(), None)?;
        Ok(Proven { described, parts, writer })
    }
}
