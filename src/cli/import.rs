//! `import`

use std::path::{Path, PathBuf};

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::output::{plain, size};
use crate::api::body;
use crate::engine::{EngineError, Imported, Run};

/// Import a backup from an archive that `export` wrote
///
/// The rows are hashed again and must match the hashes in the archive. The backup keeps its id if
/// that id is free.
///
/// A folder is read as an unpacked archive, or as a legacy backup if it contains such files. Values
/// that a legacy backup lacks are taken from the same row in the database, or derived; the import
/// lists them.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Archive, folder, or - for an archive on standard input
    source: PathBuf,
}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let engine = context.engine_for_writing().await?;
        let source = &self.source;
        let import = async |run: &Run| {
            if source.as_os_str() == "-" {
                return engine.import_archive(tokio::io::stdin(), run).await;
            }
            if source.is_dir() {
                return engine.import_folder(source, run).await;
            }
            engine.import_archive(open(source).await?, run).await
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
