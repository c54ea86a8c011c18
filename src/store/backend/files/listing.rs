//! What lies in the folder.

use std::fs::{self, DirEntry, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path as FilePath;
use std::time::SystemTime;

use object_store::path::Path;
use object_store::{Extensions, ListResult, ObjectMeta, Result};

use crate::store::backend::files::failed;

/// Folders within folders that are looked into: the store has `packs/xx/`.
const DEPTH: usize = 3;

/// Whether a name is that of a file which is still being written: `NAME#NUMBER`. Gives the `NAME`.
pub fn is_unfinished(name: &str) -> Option<&str> {
    let (name, number) = name.rsplit_once('#')?;
    let numbered = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    numbered.then_some(name)
}

/// What is at this path, of whatever kind; links are not followed.
pub fn meta(path: &FilePath, location: Path) -> io::Result<ObjectMeta> {
    Ok(converted(&fs::symlink_metadata(path)?, location))
}

/// The metadata of a file as an object's.
pub fn converted(meta: &Metadata, location: Path) -> ObjectMeta {
    ObjectMeta {
        location,
        last_modified: meta.modified().unwrap_or(SystemTime::UNIX_EPOCH).into(),
        size: meta.len(),
        e_tag: None,
        version: None,
    }
}

/// An entry that may be an object or a folder of objects.
struct Found {
    entry: DirEntry,
    location: Path,
    is_folder: bool,
}

/// The entries of a folder; none if it is not there.
fn entries(folder: &FilePath, prefix: &Path) -> Result<Vec<Result<Found>>> {
    let read = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(|error| unreadable(prefix, error))?,
    };
    let found = read.map(|entry| {
        let entry = entry.map_err(|error| unreadable(prefix, error))?;
        let name = entry.file_name();
        // A name that the store cannot have given is a stranger's.
        let name = name.to_str().filter(|name| is_unfinished(name).is_none());
        let Some(Ok(part)) = name.map(Path::parse) else { return Ok(None) };
        let location: Path = prefix.parts().chain(part.parts()).collect();
        let is_folder = is_folder(&entry, &location)?;
        Ok(Some(Found { entry, location, is_folder }))
    });
    Ok(found.filter_map(Result::transpose).collect())
}

/// Whether an entry is a folder of the store. Their names have no dot and those of files have one: a
/// folder in the place of a file counts as a file.
fn is_folder(entry: &DirEntry, location: &Path) -> Result<bool> {
    if location.filename().is_none_or(|name| name.contains('.')) {
        return Ok(false);
    }
    let kind = entry.file_type().map_err(|error| failed(location, error))?;
    Ok(kind.is_dir() || kind.is_symlink() && entry.path().is_dir())
}

fn unreadable(prefix: &Path, error: io::Error) -> object_store::Error {
    let error = io::Error::new(error.kind(), Unlisted { folder: prefix.to_string(), error });
    failed(prefix, error)
}

/// A folder that cannot be listed.
#[derive(Debug, thiserror::Error)]
#[error("the folder {folder:?} cannot be listed")]
struct Unlisted {
    folder: String,
    #[source]
    error: io::Error,
}

/// The objects of one folder, and the folders in it.
pub fn one_folder(folder: &FilePath, prefix: &Path) -> Result<ListResult> {
    let mut result = ListResult {
        common_prefixes: Vec::new(),
        objects: Vec::new(),
        extensions: Extensions::default(),
    };
    for found in entries(folder, prefix)? {
        let Found { entry, location, is_folder } = found?;
        if is_folder {
            result.common_prefixes.push(location);
        } else {
            result.objects.extend(object(&entry, location).transpose()?);
        }
    }
    Ok(result)
}

/// All objects below a folder. A folder in it that cannot be listed is an error among them.
pub fn below(folder: &FilePath, prefix: &Path) -> Vec<Result<ObjectMeta>> {
    let mut objects = Vec::new();
    collect(folder, prefix, DEPTH, &mut objects);
    objects
}

fn collect(folder: &FilePath, prefix: &Path, depth: usize, objects: &mut Vec<Result<ObjectMeta>>) {
    let entries = entries(folder, prefix).unwrap_or_else(|error| vec![Err(error)]);
    for found in entries {
        match found {
            Ok(Found { entry, location, is_folder: true }) => {
                if depth > 0 {
                    collect(&entry.path(), &location, depth - 1, objects);
                }
            }
            Ok(Found { entry, location, .. }) => objects.extend(object(&entry, location)),
            Err(error) => objects.push(Err(error)),
        }
    }
}

/// None if it has gone since its folder was read.
fn object(entry: &DirEntry, location: Path) -> Option<Result<ObjectMeta>> {
    match entry.metadata() {
        Ok(meta) => Some(Ok(converted(&meta, location))),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => Some(Err(failed(&location, error))),
    }
}
