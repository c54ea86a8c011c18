//! Export in the form of the application's own exports: a folder with the description and four files, for
//! its importer or for an import here. Each file is made while it is taken, a few blocks ahead.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::engine::archive::export::Rows;
use crate::engine::archive::json_out::{ReferredValues, RowWriter};
use crate::engine::archive::names::EXPORT_MANIFEST;
use crate::engine::download::{Download, Out};
use crate::engine::snapshot::Labelled;
use crate::engine::{Engine, EngineError, Phase, Point, Run};
use crate::model::{BackupId, BackupKind, Manifest, Part, Profile, Table};
use crate::store::Progress;
use crate::tree::fields;

/// The rows of an array: those of a part, where the column `source` says so if that is given.
type Rule = (&'static str, Option<&'static str>);
/// An array of a file, and where its rows come from.
type Array = (&'static str, &'static [Rule]);

/// The arrays of the files, by the beginning of the files' names. The importer of the application expects
/// public addresses beside the others, too.
const FORM: [(&str, &[Array]); 4] = [
    ("vrfs", &[("vrfs", &[("vrfs", None)])]),
    ("manual_prefixes", &[("prefixes", &[("prefixes", None), ("public_ips", Some("manual"))])]),
    (
        "vpc_data",
        &[
            ("vpcs", &[("vpcs", None)]),
            ("vpc_associations", &[("vpc_associations", None)]),
            ("vpc_subnets", &[("vpc_subnets", None), ("public_ips", Some("vpc"))]),
        ],
    ),
    ("public_ips", &[("public_ips", &[("public_ips", None)])]),
];

/// A value of these columns is there or not.
const LEFT_OUT_IF_NULL: &[&str] = &["parent_prefix_id", "vpc_id"];

const INSTRUCTIONS: [&str; 3] = [
    "Import the VRFs first, then the manual prefixes, then the VPC data, then the public addresses.",
    "The import adds and updates rows by their natural keys; it deletes nothing.",
    "The paths of exported_files are opened as they stand.",
];

/// Rows that are to be written as an export of the application.
pub struct FolderExport {
    rows: Arc<Rows>,
    referred: Arc<ReferredValues>,
    /// How many public addresses were entered by hand, and how many came from a VPC.
    public: (u64, u64),
    taken: DateTime<Utc>,
    /// The time in the names of the files.
    pub time: BackupId,
}

impl Engine {
    /// An export of a backup, or of the live database.
    ///
    /// # Errors
    /// If there is no such backup, it is damaged, or it was made with a profile that divides the tables in
    /// another way; if the database cannot be read.
    pub async fn export_folder(
        &self,
        point: &Point,
        run: &Run,
    ) -> Result<FolderExport, EngineError> {
        let (manifest, reader) = match point {
            Point::Backup(id) => {
                let manifest = self.store.manifest(id).await?;
                run.begin(Phase::Verifying, None);
                let report = run.byte_progress();
                let tell = move |done: Progress| report(done.bytes, done.of);
                self.refuse_damaged(&manifest, tell).await?;
                (manifest, self.store.reader().await?)
            }
            Point::Live => {
                let reader = self.store.reader().await?;
                let live = self.capture_passing(&self.profile, &reader, run).await?;
                let kind = BackupKind::Full;
                let label = Labelled {
                    description: None,
                    created_by: "system".into(),
                    kind,
                    automatic: false,
                };
                let manifest = live.manifest(BackupId::at(live.taken), &label, 0);
                (manifest, live.reader)
            }
        };
        let (own, known) = (manifest.profile(), Profile::builtin());
        if !own.divides_as(known) {
            return Err(EngineError::PartsDiffer(format!(
                "exports of the application have those of the profile {}, and this has those of {}",
                known.name, own.name
            )));
        }
        run.begin(Phase::Exporting, Some(manifest.parts.iter().map(|part| part.rows).sum()));
        let (taken, time) = (manifest.instant(), manifest.backup_id.clone());
        let datasets: Vec<_> = known.dataset_names().collect();
        let rows = Rows::new(manifest, reader, run.progress_sender());
        let work = crate::threads::spawn(move || {
            let (referred, public) = (rows.referred(&datasets)?, public_by_source(&rows)?);
            Ok::<_, EngineError>((Arc::new(rows), Arc::new(referred), public))
        });
        let (rows, referred, public) = work.await.expect("reading rows does not panic")?;
        Ok(FolderExport { rows, referred, public, taken, time })
    }
}

impl FolderExport {
    fn manifest(&self) -> &Manifest {
        &self.rows.manifest
    }

    /// The beginnings of the names of its files: one for each dataset that it covers.
    fn stems(&self) -> impl Iterator<Item = &'static str> {
        let covers = |arrays: &[Array]| {
            let mut parts = arrays.iter().map(|(_, rules)| rules[0].0);
            parts.any(|part| self.manifest().covers(part))
        };
        FORM.iter().filter(move |(_, arrays)| covers(arrays)).map(|(stem, _)| *stem)
    }

    fn file_name(&self, stem: &str) -> String {
        format!("{stem}_export_{}.json", self.time)
    }

    /// The name of the file that describes the others.
    #[must_use]
    pub fn description_name(&self) -> String {
        format!("{EXPORT_MANIFEST}{}.json", self.time)
    }

    /// The description of the files, which the importer will find in this folder.
    #[must_use]
    pub fn description(&self, folder: &str) -> Vec<u8> {
        let folder = folder.trim_end_matches('/');
        let path =
            |stem: &str| (stem.to_owned(), format!("{folder}/{}", self.file_name(stem)).into());
        let files: Map<String, Value> = self.stems().map(path).collect();
        let rows = |name: &str| self.manifest().part(name).map_or(0, |part| part.rows);
        let (manual, synced) = self.public;
        let (manual, synced) = (rows("prefixes") + manual, rows("vpc_subnets") + synced);
        let description = json!({
            "export_info": {
                "timestamp": self.timestamp(),
                "export_type": "complete_system_export",
                "version": "1.0",
            },
            "summary": {
                "total_vrfs": rows("vrfs"),
                "total_vpcs": rows("vpcs"),
                "total_prefixes": manual + synced,
                "manual_prefixes": manual,
                "vpc_prefixes": synced,
                "vpc_associations": rows("vpc_associations"),
            },
            "exported_files": files,
            "import_instructions": INSTRUCTIONS,
        });
        serde_json::to_vec_pretty(&description).expect("plain data")
    }

    /// With an offset, so that nobody takes it for local time.
    fn timestamp(&self) -> String {
        self.taken.to_rfc3339_opts(SecondsFormat::Micros, false)
    }

    /// The dataset files. Each has a thread that makes its first blocks at once and then waits to be taken.
    ///
    /// # Errors
    /// If the first rows cannot be read.
    pub async fn files(&self) -> Result<Vec<Download>, EngineError> {
        let mut files = Vec::new();
        for stem in self.stems() {
            let (rows, referred) = (self.rows.clone(), self.referred.clone());
            let arrays = FORM.iter().find(|(name, _)| *name == stem).expect("of the form").1;
            let timestamp = self.timestamp();
            let make = move |file: &mut crate::engine::download::Making| {
                file.begin(None);
                write(&rows, &referred, (stem, arrays, &timestamp), &mut file.out)
            };
            files.push(Download::start(self.file_name(stem), "application/json", make).await?);
        }
        Ok(files)
    }
}

/// Writes a file.
fn write(
    rows: &Rows,
    referred: &ReferredValues,
    (stem, arrays, timestamp): (&str, &[Array], &str),
    out: &mut Out,
) -> Result<(), EngineError> {
    out.buffer.push(b'{');
    let mut counts = Map::new();
    for (array, rules) in arrays {
        out.buffer.extend_from_slice(format!("\"{array}\": [").as_bytes());
        let form = Profile::builtin().part(array).expect("an array is named by its part");
        let mut count = 0_u64;
        for (part, source) in *rules {
            let part = Profile::builtin().part(part).expect("a part of the profile");
            let Some(table) = rows.manifest.table(&part.table) else { continue };
            count += write_rows((rows, referred), (part, form, table), *source, count > 0, out)?;
        }
        out.buffer.extend_from_slice(b"\n],\n");
        counts.insert(form.count.clone().unwrap_or_else(|| "count".into()), count.into());
    }
    let mut info = Map::new();
    info.insert("type".into(), stem.into());
    info.insert("timestamp".into(), timestamp.into());
    info.extend(counts);
    let info = Value::from(info).to_string();
    out.buffer.extend_from_slice(format!("\"export_info\": {info}}}\n").as_bytes());
    Ok(())
}

/// Writes the rows of a part in the form of those of another; how many they are.
fn write_rows(
    (rows, referred): (&Rows, &ReferredValues),
    (part, form, table): (&Part, &Part, &Table),
    source: Option<&str>,
    mut begun: bool,
    out: &mut Out,
) -> Result<u64, EngineError> {
    let writer = RowWriter::new(form, table, referred).leaving_out_nulls(LEFT_OUT_IF_NULL);
    let place = table.column("source");
    let mut count = 0;
    rows.each(part, |row| {
        let own = place.and_then(|place| fields(row).nth(place));
        if source.is_some_and(|source| own != Some(source.as_bytes())) {
            return Ok(());
        }
        let between: &[u8] = if std::mem::replace(&mut begun, true) { b",\n" } else { b"\n" };
        out.buffer.extend_from_slice(between);
        writer.write(row, &mut out.buffer)?;
        count += 1;
        rows.progress.advance(1, row.len() as u64);
        out.settle()
    })?;
    Ok(count)
}

/// How many public addresses were entered by hand, and how many came from a VPC.
fn public_by_source(rows: &Rows) -> Result<(u64, u64), EngineError> {
    let part = Profile::builtin().part("public_ips").expect("a part of the profile");
    let place = rows.manifest.table(&part.table).and_then(|table| table.column("source"));
    let (mut manual, mut synced) = (0, 0);
    rows.each(part, |row| {
        let is_manual = place.and_then(|place| fields(row).nth(place)) == Some(b"manual");
        *(if is_manual { &mut manual } else { &mut synced }) += 1;
        Ok(())
    })?;
    Ok((manual, synced))
}
