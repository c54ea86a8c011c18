//! A folder as an object store.
//!
//! Writes are durable when they return, folder entries included, if the store was opened so.
//! Removals are not: the caller makes them durable where order matters ([`sync_folder`]).
//! Only regular files are objects. Anything else in the place of one is listed, so that it is missed
//! by nobody, and reading it fails with what it is.

mod listing;
mod modes;
mod open;
mod publish;

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use tokio::runtime::Handle;

pub use self::listing::is_unfinished;
pub use self::modes::{Modes, is_ours};
pub use self::open::{open_regular, open_regular_with};
pub use self::publish::{make_folders, make_folders_below, put_aside, sync_folder};

use crate::threads::locked;

/// The name of this kind of store in errors.
const KIND: &str = "folder";

/// The files below a folder. Clones are cheap.
#[derive(Debug, Clone)]
pub struct Files(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    modes: Modes,
    durable: bool,
    /// Folders whose own entries this process has made durable.
    settled: Mutex<HashSet<PathBuf>>,
}

impl Files {
    /// The files below `root`, which must exist. `durable` makes every write wait for the disk.
    pub fn below(root: &FilePath, durable: bool) -> io::Result<Self> {
        let root = fs::canonicalize(root)?;
        let modes = Modes::of(&root)?;
        Ok(Self(Arc::new(Shared { root, modes, durable, settled: Mutex::default() })))
    }

    /// Does this where blocking is permitted: here, if no asynchronous runtime is around.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let Ok(runtime) = Handle::try_current() else {
            return work(&self.0);
        };
        let shared = self.0.clone();
        runtime.spawn_blocking(move || work(&shared)).await?
    }
}

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.root.display().fmt(f)
    }
}

/// An error of the file system, with the file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", .file.display())]
struct OfFile {
    file: PathBuf,
    source: io::Error,
}

/// As [`failed`], for a file that cannot be written or removed: its path is told, since the reason is
/// often the folder's.
fn failed_at(path: &Path, file: PathBuf, source: io::Error) -> Error {
    match failed(path, source) {
        Error::Generic { store, source } => match source.downcast() {
            Ok(source) => {
                Error::Generic { store, source: Box::new(OfFile { file, source: *source }) }
            }
            Err(source) => Error::Generic { store, source },
        },
        known => known,
    }
}

/// An error of the file system as an object store tells it.
fn failed(path: &Path, source: io::Error) -> Error {
    let (path, kind) = (path.to_string(), source.kind());
    let source = Box::new(source);
    match kind {
        ErrorKind::NotFound => Error::NotFound { path, source },
        ErrorKind::AlreadyExists => Error::AlreadyExists { path, source },
        _ => Error::Generic { store: KIND, source },
    }
}

fn not_implemented<T>(operation: &str) -> Result<T> {
    Err(Error::NotImplemented { operation: operation.into(), implementer: KIND.into() })
}

impl Shared {
    fn file(&self, path: &Path) -> PathBuf {
        let mut file = self.root.clone();
        file.extend(path.parts().map(|part| part.as_ref().to_owned()));
        file
    }

    fn put(&self, path: &FilePath, bytes: &PutPayload, create: bool) -> io::Result<()> {
        let (mut file, staged) = self.stage(path)?;
        let mut write = || {
            bytes.iter().try_for_each(|piece| file.write_all(piece))?;
            if self.durable {
                file.sync_all()?;
            }
            if create {
                publish::rename_to_new(&staged, path)
            } else {
                publish::replace(&staged, path)
            }
        };
        write().inspect_err(|_| {
            // What stays is removed by the next sweep.
            let _ = fs::remove_file(&staged);
        })?;
        if self.durable { self.settle(path) } else { Ok(()) }
    }

    /// A new file beside the one that it is to become, and its path.
    fn stage(&self, path: &FilePath) -> io::Result<(fs::File, PathBuf)> {
        for number in 1.. {
            let mut name = path.as_os_str().to_owned();
            name.push(format!("#{number}"));
            let staged = PathBuf::from(name);
            let made = match self.modes.create_new(&staged) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let folder = path.parent().unwrap_or(&self.root);
                    make_folders_below(&self.root, folder, self.modes, self.durable)?;
                    self.modes.create_new(&staged)
                }
                made => made,
            };
            match made {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => return Ok((made?, staged)),
            }
        }
        unreachable!("some number is free")
    }

    /// Makes the entry of a file durable, and those of the folders that lead to it: another process
    /// may have made them and been killed.
    fn settle(&self, path: &FilePath) -> io::Result<()> {
        let mut folder = path.parent().unwrap_or(&self.root);
        sync_folder(folder)?;
        while folder != self.root && !locked(&self.settled).contains(folder) {
            let above = folder.parent().unwrap_or(&self.root);
            sync_folder(above)?;
            locked(&self.settled).insert(folder.to_owned());
            folder = above;
        }
        Ok(())
    }
}

#[async_trait]
impl ObjectStore for Files {
    async fn put_opts(&self, to: &Path, bytes: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let create = match opts.mode {
            PutMode::Overwrite => false,
            PutMode::Create => true,
            PutMode::Update(_) => return not_implemented("a conditional update"),
        };
        let to = to.clone();
        self.blocking(move |shared| {
            let file = shared.file(&to);
            let put = shared.put(&file, &bytes, create);
            put.map_err(|error| failed_at(&to, file, error))
        })
        .await?;
        Ok(PutResult { e_tag: None, version: None, extensions: opts.extensions })
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        not_implemented("an upload in parts")
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        let from = from.clone();
        self.blocking(move |shared| {
            let path = shared.file(&from);
            let failed = |error| failed(&from, error);
            if options.head {
                let meta = listing::meta(&path, from.clone()).map_err(failed)?;
                let payload = GetResultPayload::Stream(stream::empty().boxed());
                let (attributes, extensions) = (Attributes::default(), options.extensions);
                return Ok(GetResult { payload, range: 0..0, meta, attributes, extensions });
            }
            let file = open_regular(&path).map_err(failed)?;
            let meta = listing::converted(&file.metadata().map_err(failed)?, from.clone());
            options.check_preconditions(&meta)?;
            let range = match &options.range {
                Some(range) => range
                    .as_range(meta.size)
                    .map_err(|source| Error::Generic { store: KIND, source: Box::new(source) })?,
                None => 0..meta.size,
            };
            let payload = GetResultPayload::File(file, path);
            let (attributes, extensions) = (Attributes::default(), options.extensions);
            Ok(GetResult { payload, range, meta, attributes, extensions })
        })
        .await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let files = self.clone();
        let delete = move |path: Result<Path>| {
            let files = files.clone();
            async move {
                let path = path?;
                let removed = files.blocking(move |shared| {
                    let file = shared.file(&path);
                    publish::remove(&file).map_err(|error| failed_at(&path, file, error))?;
                    Ok(path)
                });
                removed.await
            }
        };
        paths.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (files, prefix) = (self.clone(), prefix.cloned().unwrap_or_default());
        let listed = async move {
            let list = move |shared: &Shared| Ok(listing::below(&shared.file(&prefix), &prefix));
            stream::iter(files.blocking(list).await.unwrap_or_else(|error| vec![Err(error)]))
        };
        stream::once(listed).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        self.blocking(move |shared| listing::one_folder(&shared.file(&prefix), &prefix)).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        not_implemented("a copy")
    }
}
