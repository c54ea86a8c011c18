//! `import`

use std::path::{Path, PathBuf};

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::output::{plain, size};
use crate::api::body;
use crate::engine::{EngineError, ImportOptions, Imported, Run, TimeZone};

/// Import an archive, a legacy backup or an application export
///
/// The rows of an archive that `export` wrote are hashed again and must match the hashes in it. The
/// backup keeps its id if that id is free.
///
/// A folder, or a tar archive of one, may also be a legacy backup (`backup_info.json`) or an export
/// of the application (`export_manifest_TIME.json`). Values that these lack are taken from the same
/// row in the database, or derived; the import lists them. Rows that could not be restored are
/// refused. The same files are imported once.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Archive, folder, or - for an archive on standard input
    source: PathBuf,
    /// Time zone of the machine that wrote a legacy backup or an export, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "local")]
    time_zone: TimeZone,
}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let engine = context.engine_for_writing().await?;
        let source = &self.source;
        let options = ImportOptions { time_zone: self.time_zone, ..ImportOptions::default() };
        let import = async |run: &Run| {
            if source.as_os_str() == "-" {
                return engine.import_archive_with(&options, tokio::io::stdin(), run).await;
            }
            if source.is_dir() {
                return engine.import_folder_with(&options, source, run).await;
            }
            engine.import_archive_with(&options, open(source).await?, run).await
        };
        let imported = context.run(import).await?;
        context.print::<body::Imported, _>(&imported, text);
        Ok(())
    }
}

async fn open(path: &Path) -> Result<tokio::fs::File, EngineError> {
    let doing = || format!("open {}", path.display());
    tokio::fs::File::open(path).await.map_err(|source| EngineError::Io { doing: doing(), source })
}

fn text(imported: &Imported) -> String {
    let info = &imported.backup_info;
    let mut text = format!(
        "{}: {}\n{}\n{} of rows, {} added to the store",
        body::Imported::message(imported),
        plain(&info.description),
        super::backup::datasets(info),
        size(info.size),
        size(info.added_size)
    );
    for note in &imported.notes {
        text += &format!("\nNote: {}", plain(note));
    }
    text
}
