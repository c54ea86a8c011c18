//! The files of an archive: members of a tar, or an unpacked folder. No name that stands in an archive
//! ever becomes a path: members are compared with the names that they must have.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};
use tar::EntryType;
use tempfile::TempDir;

use crate::engine::EngineError;
use crate::engine::archive::describe::{Described, MAX_METADATA};
use crate::engine::archive::names::{METADATA, belongs};
use crate::engine::archive::rebuild::{Rebuild, malformed};
use crate::model::{Dataset, Manifest, Profile};

/// A tar archive that is being read.
pub struct Unpacking<R: Read> {
    archive: tar::Archive<R>,
}

type Members<'a, R> = tar::Entries<'a, R>;

impl<R: Read> Unpacking<R> {
    /// Reads this archive.
    pub fn new(archive: R) -> Self {
        Self { archive: tar::Archive::new(archive) }
    }

    /// Its members, as they come.
    pub fn members(&mut self) -> Result<Members<'_, R>, EngineError> {
        // Raw: names of any length, which other headers may bring, would have to be kept in memory.
        Ok(self.archive.entries().map_err(|error| unreadable(&error))?.raw(true))
    }
}

fn unreadable(error: &io::Error) -> EngineError {
    malformed(format!("it cannot be read as a tar archive: {error}"))
}

/// The next file, and its name without the folder that it lies in.
fn next_file<'a, R: Read>(
    members: &mut Members<'a, R>,
) -> Result<Option<(String, tar::Entry<'a, R>)>, EngineError> {
    for member in members {
        let member = member.map_err(|error| unreadable(&error))?;
        match member.header().entry_type() {
            EntryType::Regular => {
                let path = String::from_utf8_lossy(&member.header().path_bytes()).into_owned();
                let name = path.rsplit('/').next().unwrap_or_default().to_owned();
                return Ok(Some((name, member)));
            }
            // What other programs may add: folders, and headers that hold times and owners.
            EntryType::Directory | EntryType::XHeader | EntryType::XGlobalHeader => {}
            other => return Err(malformed(format!("it has a member of the kind {other:?}"))),
        }
    }
    Ok(None)
}

/// What an archive begins with.
pub enum Begun {
    /// The metadata of an archive of a backup, which is its first file.
    Archive(Box<Described>),
    /// A file of another form, now in this folder.
    Files(TempDir),
}

/// Reads the first file.
pub fn begin<R: Read>(
    members: &mut Members<'_, R>,
    profile: &Arc<Profile>,
) -> Result<Begun, EngineError> {
    match next_file(members)? {
        Some((name, member)) if name == METADATA => {
            let text = small(member, METADATA)?;
            if is_of_another_form(&text) {
                return begun_with(METADATA, &mut &text[..]);
            }
            Ok(Begun::Archive(Box::new(described(&text[..], profile)?)))
        }
        Some((name, mut member)) if belongs(&name) => begun_with(&name, &mut member),
        Some((name, _)) => {
            let name: String = name.chars().take(80).collect();
            Err(malformed(format!("its first file is {name:?} and not {METADATA}")))
        }
        None => Err(malformed("it is empty")),
    }
}

/// Whether this is the metadata of a backup of the application, which has no manifest.
fn is_of_another_form(text: &[u8]) -> bool {
    let keys = serde_json::from_slice::<Map<String, Value>>(text);
    keys.is_ok_and(|keys| keys.contains_key("backup_id") && !keys.contains_key("manifest"))
}

fn begun_with(name: &str, file: &mut impl Read) -> Result<Begun, EngineError> {
    let folder = TempDir::new().map_err(|source| unpacking("a temporary folder", source))?;
    unpack_into(folder.path(), name, file)?;
    Ok(Begun::Files(folder))
}

/// Unpacks what belongs to files of another form into a folder.
pub fn files<R: Read>(members: &mut Members<'_, R>, folder: &Path) -> Result<(), EngineError> {
    while let Some((name, mut member)) = next_file(members)? {
        if belongs(&name) {
            unpack_into(folder, &name, &mut member)?;
        }
    }
    Ok(())
}

/// Writes a new file; `name` is one of those that [`belongs`] knows.
fn unpack_into(folder: &Path, name: &str, file: &mut impl Read) -> Result<(), EngineError> {
    match File::create_new(folder.join(name)) {
        Ok(mut new) => io::copy(file, &mut new)
            .map(|_| ())
            .map_err(|error| malformed(format!("{name} cannot be unpacked: {error}"))),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(malformed(format!("it has {name} twice: make an archive of each folder alone")))
        }
        Err(source) => Err(unpacking(name, source)),
    }
}

fn unpacking(what: &str, source: io::Error) -> EngineError {
    EngineError::Io { doing: format!("unpack {what}"), source }
}

/// The dataset files, in whatever order they come.
pub fn datasets<R: Read>(
    members: &mut Members<'_, R>,
    rebuild: &mut Rebuild<'_>,
) -> Result<(), EngineError> {
    let mut read = BTreeSet::new();
    while let Some((name, mut member)) = next_file(members)? {
        let Some(dataset) = dataset_of(rebuild.manifest, &name) else {
            let name: String = name.chars().take(80).collect();
            return Err(malformed(format!("it has a file that does not belong into it: {name:?}")));
        };
        if !read.insert(dataset.clone()) {
            return Err(malformed(format!("it has the file of {dataset} twice")));
        }
        rebuild.read(&dataset, &mut member)?;
    }
    let needed = rebuild.manifest.all_datasets();
    match needed.iter().find(|dataset| !read.contains(*dataset)) {
        Some(missing) => Err(malformed(format!("the file of {missing} is missing"))),
        None => Ok(()),
    }
}

fn dataset_of(manifest: &Manifest, name: &str) -> Option<Dataset> {
    let named = |dataset: &Dataset| manifest.file_name(dataset) == name;
    manifest.all_datasets().into_iter().find(named)
}

/// The metadata of an archive that was unpacked into a folder.
pub fn folder_metadata(folder: &Path, profile: &Arc<Profile>) -> Result<Described, EngineError> {
    described(open(folder, METADATA)?, profile)
}

/// The dataset files of an archive that was unpacked into a folder.
pub fn folder_datasets(folder: &Path, rebuild: &mut Rebuild<'_>) -> Result<(), EngineError> {
    for dataset in rebuild.manifest.all_datasets() {
        let name = rebuild.manifest.file_name(&dataset);
        rebuild.read(&dataset, open(folder, &name)?)?;
    }
    Ok(())
}

fn described(file: impl Read, profile: &Arc<Profile>) -> Result<Described, EngineError> {
    Described::parse(&small(file, METADATA)?, profile)
        .map_err(|why| malformed(format!("{METADATA} cannot be used: {why}")))
}

/// A file that is small if it is what it should be.
pub fn small(file: impl Read, name: &str) -> Result<Vec<u8>, EngineError> {
    let mut text = Vec::new();
    let read = file.take(MAX_METADATA + 1).read_to_end(&mut text);
    read.map_err(|error| malformed(format!("{name} cannot be read: {error}")))?;
    if text.len() as u64 > MAX_METADATA {
        return Err(malformed(format!("{name} is longer than {} MiB", MAX_METADATA >> 20)));
    }
    Ok(text)
}

/// A plain file of a folder; `name` is one that this program made.
pub fn open(folder: &Path, name: &str) -> Result<File, EngineError> {
    let path = folder.join(name);
    let opened = path.symlink_metadata().and_then(|found| {
        if found.is_file() {
            File::open(&path)
        } else {
            Err(io::Error::other("it is no plain file"))
        }
    });
    opened.map_err(|source| EngineError::Io { doing: format!("open {}", path.display()), source })
}
