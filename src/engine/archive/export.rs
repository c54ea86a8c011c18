//! Export: a dataset's file, or all of a backup as a tar archive.
//!
//! Everything is written twice: first only to count its bytes. A tar header needs them beforehand,
//! and a download is better for knowing them, too; and whatever is damaged is found before the first
//! byte is sent, while there is still a way to say so. Reading from the store twice costs a second or
//! two for a million rows; the other ways cost more: a file beside (as large as the export, on a
//! disk that may be full), or the members in pieces (which `tar x` would not put together again).

use std::slice::from_ref;

use crate::engine::archive::describe::metadata;
use crate::engine::archive::form::export_info;
use crate::engine::archive::json_out::{ByField, ReferredValues, RowWriter};
use crate::engine::download::{Download, Out};
use crate::engine::progress::ProgressSender;
use crate::engine::{Engine, EngineError, Phase, Run};
use crate::model::{BackupId, Dataset, Manifest, Part, Referred};
use crate::store::Reader;
use crate::tree::{Cursor, Layout, fields, unescape};

/// What every member of a tar is a multiple of.
const TAR_BLOCK: u64 = 512;
/// What a tar ends with.
const TAR_END: [u8; 1024] = [0; 1024];

/// What the archive of a backup is called.
#[must_use]
pub fn tar_name(id: &BackupId) -> String {
    format!("ipam-rewind-{id}.tar")
}

/// A backup whose rows can be written. Its methods block.
pub struct Rows {
    pub manifest: Manifest,
    reader: Reader,
    pub progress: ProgressSender,
}

impl Engine {
    /// The file of one dataset, as JSON.
    ///
    /// # Errors
    /// If there is no backup with this id, or the dataset is damaged.
    pub async fn export_dataset(
        &self,
        id: &BackupId,
        dataset: &str,
        run: &Run,
    ) -> Result<Download, EngineError> {
        let manifest = self.store.manifest(id).await?;
        let dataset = manifest.profile().any_dataset(dataset)?;
        if !manifest.covers_dataset(&dataset) {
            return Err(EngineError::NotCovered { id: id.clone(), dataset });
        }
        let name = manifest.file_name(&dataset);
        let rows = self.exportable(manifest, from_ref(&dataset), run).await?;
        Download::start(name, "application/json", move |file| {
            let referred = rows.referred(from_ref(&dataset))?;
            let write = |out: &mut Out| rows.write(&dataset, &referred, out);
            let size = file.count(write)?;
            file.begin(Some(size));
            write(&mut file.out)
        })
        .await
    }

    /// All of a backup as a tar archive, which [`Engine::import_archive`] makes the same backup of.
    ///
    /// # Errors
    /// If there is no backup with this id, or it is damaged.
    pub async fn export_archive(&self, id: &BackupId, run: &Run) -> Result<Download, EngineError> {
        let manifest = self.store.manifest(id).await?;
        let datasets: Vec<_> = manifest.profile().dataset_names().collect();
        let rows = self.exportable(manifest, &datasets, run).await?;
        let info = metadata(&rows.manifest, &self.store.state(id).await?, self.store.parameters());
        let id = id.clone();
        Download::start(tar_name(&id), "application/x-tar", move |file| {
            let datasets = rows.manifest.all_datasets();
            let referred = rows.referred(&datasets)?;
            let mut sizes = Vec::new();
            for dataset in datasets {
                let size = file.count(|out| rows.write(&dataset, &referred, out))?;
                sizes.push((dataset, size));
            }
            let members = sizes.iter().map(|(_, size)| *size).chain([info.len() as u64]);
            let members = members.map(|size| TAR_BLOCK + size.next_multiple_of(TAR_BLOCK));
            file.begin(Some(members.sum::<u64>() + TAR_END.len() as u64));
            let out = &mut file.out;
            head(&rows.manifest, "backup_info.json", info.len() as u64, out);
            out.buffer.extend_from_slice(&info);
            pad(info.len() as u64, out);
            for (dataset, size) in sizes {
                head(&rows.manifest, &rows.manifest.file_name(&dataset), size, out);
                rows.write(&dataset, &referred, out)?;
                pad(size, out);
            }
            out.buffer.extend_from_slice(&TAR_END);
            Ok(())
        })
        .await
    }

    pub(super) async fn exportable(
        &self,
        manifest: Manifest,
        datasets: &[Dataset],
        run: &Run,
    ) -> Result<Rows, EngineError> {
        let reader = self.store.reader().await?;
        let rows: u64 = datasets
            .iter()
            .map(|dataset| manifest.datasets.get(dataset).map_or(0, |d| d.rows))
            .sum();
        // Each row is counted once, and written once.
        run.begin(Phase::Exporting, Some(2 * rows));
        Ok(Rows { manifest, reader, progress: run.progress_sender() })
    }
}

/// The header of a member. All lie in a folder of the backup's name, so that unpacking makes no mess.
fn head(manifest: &Manifest, name: &str, size: u64, out: &mut Out) {
    let mut header = tar::Header::new_ustar();
    let path = format!("{}/{name}", manifest.backup_id);
    header.set_path(path).expect("an id and a file's name are short and plain");
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(u64::try_from(manifest.instant().timestamp()).unwrap_or(0));
    header.set_cksum();
    out.buffer.extend_from_slice(header.as_bytes());
}

fn pad(size: u64, out: &mut Out) {
    let missing = size.next_multiple_of(TAR_BLOCK) - size;
    out.buffer.resize(out.buffer.len() + usize::try_from(missing).expect("less than a block"), 0);
}

impl Rows {
    /// Those of this manifest, whose chunks this reader reads.
    pub fn new(manifest: Manifest, reader: Reader, progress: ProgressSender) -> Self {
        Self { manifest, reader, progress }
    }

    /// Calls `take` for each row of a part, in key order.
    pub fn each(
        &self,
        part: &Part,
        mut take: impl FnMut(&[u8]) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let tree = self.manifest.part(&part.name).zip(self.manifest.table(&part.table));
        // A site may lack the table; then the manifest has no part of it either.
        let Some((tree, table)) = tree else { return Ok(()) };
        let layout = Layout::from(table);
        let mut cursor = Cursor::new(&self.reader, &layout, &tree.root)?;
        let (mut rows, mut bytes) = (0, 0);
        while let Some((_, row)) = cursor.next_row()? {
            (rows, bytes) = (rows + 1, bytes + row.len() as u64 + 1);
            take(&row)?;
        }
        if (rows, bytes) == (tree.rows, tree.bytes) {
            return Ok(());
        }
        let what = format!("{} has {rows} rows, its manifest says {}", part.name, tree.rows);
        Err(EngineError::Damaged { id: self.manifest.backup_id.clone(), damage: vec![what] })
    }

    /// The values that rows of these datasets refer to and tell beside their columns.
    pub fn referred(&self, datasets: &[Dataset]) -> Result<ReferredValues, EngineError> {
        let profile = self.manifest.profile();
        let parts = datasets.iter().flat_map(|dataset| profile.parts_of_dataset(dataset));
        let mut values = ReferredValues::new();
        for beside in parts.flat_map(|part| part.beside.clone()) {
            let Some(referred) = beside.of else { continue };
            if !values.contains_key(&referred) {
                values.insert(referred.clone(), self.values(&referred)?);
            }
        }
        Ok(values)
    }

    fn values(&self, referred: &Referred) -> Result<ByField, EngineError> {
        let mut values = ByField::new();
        let part = self.manifest.profile().part(&referred.part).expect("checked with the profile");
        let table = self.manifest.schema.table(&part.table);
        let columns = table.and_then(|t| t.column(&referred.key).zip(t.column(&referred.column)));
        let Some((key, column)) = columns else { return Ok(values) };
        self.each(part, |row| {
            let fields: Vec<_> = fields(row).collect();
            if fields[column] != b"\\N" {
                let text = String::from_utf8_lossy(&unescape(fields[column])).into_owned();
                values.insert(fields[key].into(), text);
            }
            Ok(())
        })?;
        Ok(values)
    }

    /// Writes a dataset's file.
    pub(super) fn write(
        &self,
        dataset: &Dataset,
        referred: &ReferredValues,
        out: &mut Out,
    ) -> Result<(), EngineError> {
        let info = export_info(&self.manifest, dataset).to_string();
        out.buffer.extend_from_slice(format!("{{\"export_info\": {info}").as_bytes());
        for part in self.manifest.profile().parts_of_dataset(dataset) {
            out.buffer.extend_from_slice(format!(",\n\"{}\": [", part.name).as_bytes());
            if let Some(table) = self.manifest.table(&part.table) {
                let writer = RowWriter::new(&part, table, referred);
                let mut first = true;
                self.each(&part, |row| {
                    let between: &[u8] = if std::mem::take(&mut first) { b"\n" } else { b",\n" };
                    out.buffer.extend_from_slice(between);
                    writer.write(row, &mut out.buffer)?;
                    self.progress.advance(1, row.len() as u64);
                    out.settle()
                })?;
            }
            out.buffer.extend_from_slice(b"\n]");
        }
        out.buffer.extend_from_slice(b"}\n");
        Ok(())
    }
}
