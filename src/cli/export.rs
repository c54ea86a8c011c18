//! `export`

use std::io::{ErrorKind, IsTerminal, Write, stdout};
use std::path::{Path, PathBuf};

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::output::size;
use super::output_file::OutputFile;
use crate::api::body::Exported;
use crate::engine::{Download, EngineError};
use crate::model::{BackupId, visible_lines};

/// Write a backup as a tar archive of its four JSON files
///
/// The archive contains every column of every row, and the metadata that an exact `import` needs:
/// table definitions, sequences and root hashes.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Backup id, as `list` shows it
    id: String,
    /// Output file, or - for standard output [default: ipam-rewind-ID.tar, or the dataset's file
    /// name]. A regular file is replaced atomically; a device or FIFO is written in place
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write only the JSON file of this dataset: vrfs, prefixes, vpcs or public_ips
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
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
