//! Export: a dataset's file, or all of a backup as a tar archive.
//!
//! Everything is written twice: first only to count its bytes. A tar header needs them beforehand,
//! and a download is better for knowing them, too; and whatever is damaged is found before the first
//! byte is sent, while there is still a way to say so. Reading from the store twice costs a second or
//! two for a million rows; the other ways cost more: a file beside (as large as the export, on a
//! disk that may be full), or the members in pieces (which `tar x` would not put together again).

use super::describe::metadata;
use super::form::{arrays, export_info};
use super::json_out::{ProviderNames, RowWriter};
use crate::engine::download::{Download, Out};
use crate::engine::run::ProgressSender;
use crate::engine::{Engine, EngineError, Phase, Run};
use crate::model::{BackupId, Dataset, Manifest, Part};
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
struct Rows {
    manifest: Manifest,
    reader: Reader,
    progress: ProgressSender,
}

impl Engine {
    /// The file of one dataset, as JSON.
    ///
    /// # Errors
    /// If there is no backup with this id, or the dataset is damaged.
    pub async fn export_dataset(
        &self,
        id: &BackupId,
        dataset: Dataset,
        run: &Run,
    ) -> Result<Download, EngineError> {
        let rows = self.exportable(id, &[dataset], run).await?;
        let name = dataset.file_name(id);
        Download::start(name, "application/json", move |file| {
            let names = rows.provider_names()?;
            let write = |out: &mut Out| rows.write(dataset, &names, out);
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
        let rows = self.exportable(id, &Dataset::ALL, run).await?;
        let info = metadata(&rows.manifest, &self.store.state(id).await?, self.store.parameters());
        let id = id.clone();
        Download::start(tar_name(&id), "application/x-tar", move |file| {
            let names = rows.provider_names()?;
            let mut sizes = Vec::new();
            for dataset in rows.manifest.all_datasets() {
                let size = file.count(|out| rows.write(dataset, &names, out))?;
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
                head(&rows.manifest, &dataset.file_name(&id), size, out);
                rows.write(dataset, &names, out)?;
                pad(size, out);
            }
            out.buffer.extend_from_slice(&TAR_END);
            Ok(())
        })
        .await
    }

    async fn exportable(
        &self,
        id: &BackupId,
        datasets: &[Dataset],
        run: &Run,
    ) -> Result<Rows, EngineError> {
        let manifest = self.store.manifest(id).await?;
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
    /// Calls `take` for each row of a part, in key order.
    fn each(
        &self,
        part: &Part,
        mut take: impl FnMut(&[u8]) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let tree = self.manifest.part(part.name).zip(self.manifest.table(part.table));
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

    fn provider_names(&self) -> Result<ProviderNames, EngineError> {
        let mut names = ProviderNames::new();
        let part = Part::named("vpcs").expect("a part has this name");
        let table = self.manifest.schema.table(part.table);
        let columns = table.and_then(|t| t.column("vpc_id").zip(t.column("provider_vpc_id")));
        let Some((id, name)) = columns else { return Ok(names) };
        self.each(part, |row| {
            let fields: Vec<_> = fields(row).collect();
            if fields[name] != b"\\N" {
                let name = String::from_utf8_lossy(&unescape(fields[name])).into_owned();
                names.insert(fields[id].into(), name);
            }
            Ok(())
        })?;
        Ok(names)
    }

    /// Writes a dataset's file.
    fn write(
        &self,
        dataset: Dataset,
        names: &ProviderNames,
        out: &mut Out,
    ) -> Result<(), EngineError> {
        let info = export_info(&self.manifest, dataset).to_string();
        out.buffer.extend_from_slice(format!("{{\"export_info\": {info}").as_bytes());
        for part in arrays(dataset) {
            out.buffer.extend_from_slice(format!(",\n\"{}\": [", part.name).as_bytes());
            if let Some(table) = self.manifest.table(part.table) {
                let writer = RowWriter::new(part, table, names);
                let mut first = true;
                self.each(part, |row| {
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
