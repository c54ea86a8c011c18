//! The files of an archive: members of a tar, or an unpacked folder. No name that stands in an archive
//! ever becomes a path: members are compared with the names that they must have.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use tar::EntryType;

use crate::engine::EngineError;
use crate::engine::archive::describe::{Described, MAX_METADATA};
use crate::engine::archive::rebuild::{Rebuild, malformed};
use crate::model::{Dataset, Manifest, Profile};

/// The name of the metadata file.
pub const METADATA: &str = "backup_info.json";

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

/// The metadata, which must be the first file.
pub fn metadata<R: Read>(
    members: &mut Members<'_, R>,
    profile: &Arc<Profile>,
) -> Result<Described, EngineError> {
    match next_file(members)? {
        Some((name, member)) if name == METADATA => described(member, profile),
        Some((name, _)) => {
            let name: String = name.chars().take(80).collect();
            Err(malformed(format!("its first file is {name:?} and not {METADATA}")))
        }
        None => Err(malformed("it is empty")),
    }
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
