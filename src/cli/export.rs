//! `export`

use std::io::{ErrorKind, IsTerminal, Write, stdout};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::context::Context;
use super::error::CliError;
use super::output::size;
use super::output_file::OutputFile;
use crate::api::body::{Exported, ExportedFolder};
use crate::engine::{Download, EngineError, FolderExport, Point};
use crate::model::{BackupId, visible_lines};

/// Write a backup as a tar archive or an application export
///
/// The archive has the four JSON files with every column of every row, and the metadata that an
/// exact `import` needs: table definitions, sequences and root hashes.
///
/// With a folder as the output, or `--format folder`, the files are those of an export of the
/// application (PC Export): `export_manifest_TIME.json` and the four files, for its importer or for
/// `import`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Backup id, as `list` shows it, or `live` for an export of the live database
    id: String,
    /// Output file or folder, or - for standard output [default: ipam-rewind-ID.tar, or the
    /// dataset's file name]. A regular file is replaced atomically; a device or FIFO is written in
    /// place
    #[arg(short, long, value_name = "FILE|DIR")]
    output: Option<PathBuf>,
    /// Form [default: folder if the output is a folder or ends in /, or for `live`; else tar]
    #[arg(long, value_enum, value_name = "FORM", conflicts_with = "dataset")]
    format: Option<Form>,
    /// Path of the folder as the importer will see it [default: the absolute path of the output]
    #[arg(long, value_name = "DIR")]
    seen_as: Option<String>,
    /// Write only the JSON file of this dataset: vrfs, prefixes, vpcs or public_ips
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// An archive that `import` makes the same backup of.
    Tar,
    /// A folder in the form of the application's exports.
    Folder,
}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let point: Point = self.id.parse()?;
        if self.form(&point) == Form::Folder {
            return self.write_folder(&point, context).await;
        }
        let id: BackupId = self.id.parse().map_err(EngineError::from)?;
        let engine = context.engine().await?;
        let write = async |run: &_| {
            let download = match &self.dataset {
                Some(dataset) => engine.export_dataset(&id, dataset, run).await?,
                None => engine.export_archive(&id, run).await?,
            };
            let file = self.output.clone().unwrap_or_else(|| download.name.clone().into());
            if file.as_os_str() == "-" {
                return to_standard_output(download).await.map(|_| None);
            }
            Ok(Some((to_file(download, &file).await?, file)))
        };
        let Some((bytes, file)) = context.run(write).await? else { return Ok(()) };
        let file = file.display().to_string();
        let exported = Exported::new(id, file, bytes, &size(bytes));
        context.print::<Exported, _>(&exported, |exported| exported.message.clone());
        Ok(())
    }
}

impl Arguments {
    fn form(&self, point: &Point) -> Form {
        let is_folder =
            |path: &Path| path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/");
        let into_folder = self.output.as_deref().is_some_and(is_folder);
        let as_folder = *point == Point::Live || (into_folder && self.dataset.is_none());
        self.format.unwrap_or(if as_folder { Form::Folder } else { Form::Tar })
    }

    /// Writes an export of the application. Its description comes last: without it no importer reads
    /// the other files.
    async fn write_folder(self, point: &Point, context: &Context) -> Result<(), CliError> {
        let Some(folder) = self.output.clone().filter(|path| path.as_os_str() != "-") else {
            let words = "name the folder of the export with --output DIR";
            let source = std::io::Error::other(words);
            return Err(EngineError::Io { doing: "write a folder".into(), source }.into());
        };
        let engine = match point {
            Point::Live => context.engine_for_writing().await?,
            Point::Backup(_) => context.engine().await?,
        };
        let write = async |run: &_| {
            let export = engine.export_folder(point, run).await?;
            let seen = prepare(&folder, &export)?;
            let mut written = (Vec::new(), 0);
            for download in export.files().await? {
                let name = download.name.clone();
                written.1 += to_file(download, &folder.join(&name)).await?;
                written.0.push(name);
            }
            let description = export.description(self.seen_as.as_deref().unwrap_or(&seen));
            let path = folder.join(export.description_name());
            let failed =
                |source| EngineError::Io { doing: format!("write {}", path.display()), source };
            let mut out = OutputFile::create(&path).map_err(failed)?;
            out.write_all(&description).and_then(|()| out.finish()).map_err(failed)?;
            written.1 += description.len() as u64;
            written.0.push(export.description_name());
            Ok(written)
        };
        let (files, bytes) = context.run(write).await?;
        let folder = folder.display().to_string();
        let exported = ExportedFolder::new(point.to_string(), folder, files, bytes, &size(bytes));
        context.print::<ExportedFolder, _>(&exported, |exported| exported.message.clone());
        Ok(())
    }
}

/// Makes the folder, unless it is there; its absolute path. One folder has one export.
fn prepare(folder: &Path, export: &FolderExport) -> Result<String, EngineError> {
    let failed = |source| EngineError::Io { doing: format!("write {}", folder.display()), source };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let (own, mut entries) =
        (export.description_name(), std::fs::read_dir(folder).map_err(failed)?);
    let other = entries.find_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        (name.starts_with("export_manifest_") && name != own).then_some(name)
    });
    if let Some(other) = other {
        let words = format!("another export is in it ({other}); name another folder");
        return Err(failed(std::io::Error::other(words)));
    }
    Ok(std::fs::canonicalize(folder).map_err(failed)?.display().to_string())
}

/// Takes a download into a file; how many bytes it has.
async fn to_file(download: Download, file: &Path) -> Result<u64, EngineError> {
    let failed = |source| EngineError::Io { doing: format!("write {}", file.display()), source };
    let path = file.to_owned();
    // To open a FIFO waits for its reader.
    let opened = tokio::task::spawn_blocking(move || OutputFile::create(&path)).await;
    let mut out = opened.expect("opening does not panic").map_err(failed)?;
    let bytes = take(download, &mut out, failed).await?;
    out.finish().map_err(failed)?;
    Ok(bytes)
}

/// Takes a download to standard output: byte for byte, but a terminal gets lines of text only. A reader
/// that has gone away (`| head`) is no failure.
pub async fn to_standard_output(download: Download) -> Result<u64, EngineError> {
    let failed = |source| EngineError::Io { doing: "write to standard output".into(), source };
    let taken = if !stdout().is_terminal() {
        take(download, &mut stdout(), failed).await
    } else if download.media_type == TAR {
        let words = "it is a terminal, and an archive is no text: name a file with --output";
        Err(failed(std::io::Error::other(words)))
    } else {
        take(download, &mut Screen, failed).await
    };
    match taken {
        Err(EngineError::Io { source, .. }) if source.kind() == ErrorKind::BrokenPipe => Ok(0),
        taken => taken,
    }
}

/// The media type of an archive.
const TAR: &str = "application/x-tar";

/// A terminal, which gets nothing that it would obey.
struct Screen;

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        stdout().write_all(visible_lines(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        stdout().flush()
    }
}

async fn take(
    mut download: Download,
    out: &mut impl Write,
    failed: impl Fn(std::io::Error) -> EngineError,
) -> Result<u64, EngineError> {
    let mut bytes = 0;
    while let Some(block) = download.blocks.recv().await {
        let block = block?;
        out.write_all(&block).map_err(&failed)?;
        bytes += block.len() as u64;
    }
    out.flush().map_err(&failed)?;
    Ok(bytes)
}
