//! The files of the state folder: replaced whole or appended to, and durable either way. Only their owner
//! may read them, or the group that shares their folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::{seal, unseal};
use crate::store::{Modes, make_folders};

/// For its owner alone.
const PRIVATE: u32 = 0o600;

/// Makes a folder and those above it that are not there, for their owner alone or the group that shares
/// the folder above.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let folder = std::path::absolute(folder)?;
    let above = folder.ancestors().skip(1).find(|above| above.is_dir());
    make_folders(&folder, above.map_or(Ok(Modes::PRIVATE), Modes::of)?, true)
}

/// Makes a folder in one that must be there.
pub fn make_folder_in(above: &Path, folder: &Path) -> io::Result<()> {
    if !above.is_dir() {
        let words = format!("the folder {} is gone", above.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, words));
    }
    make_folder(folder)
}

fn folder_of(path: &Path) -> io::Result<&Path> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}

/// Opens a file that is there to be locked, and makes it if it is not.
pub fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(PRIVATE).open(path)?;
    Modes::of(folder_of(path)?)?.give(&file)?;
    Ok(file)
}

/// Puts this text in the place of the file: a reader sees the old one or the new one, also after a
/// crash.
pub fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    replace_with(path, text, Modes::of(folder_of(path)?)?)
}

/// As [`replace`], for the owner alone wherever the file is. Its folder is made if it is missing.
pub fn replace_private(path: &Path, text: &[u8]) -> io::Result<()> {
    make_folder(folder_of(path)?)?;
    replace_with(path, text, Modes::PRIVATE)
}

fn replace_with(path: &Path, text: &[u8], modes: Modes) -> io::Result<()> {
    let folder = folder_of(path)?;
    let mut beside = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    modes.give(beside.as_file())?;
    beside.write_all(text)?;
    beside.as_file().sync_all()?;
    beside.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// As [`replace`], with a value as pretty JSON and a checksum.
pub fn replace_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    replace(path, &seal(value))
}

/// Puts a shorter text in the place of the file's content without taking any space, for a full
/// disk. What a crash leaves in between is damaged, which the reader must tell.
pub fn shrink_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let mut text = seal(value);
    let mut file = OpenOptions::new().write(true).open(path)?;
    let old = file.metadata()?.len();
    let new = text.len() as u64;
    if new >= old {
        return Err(io::ErrorKind::StorageFull.into());
    }
    // White space up to the old end, so that nothing of the old text stands behind the new one.
    text.resize(usize::try_from(old).map_err(io::Error::other)?, b'\n');
    file.write_all(&text)?;
    file.set_len(new)?;
    file.sync_all()
}

/// A value from a JSON file; `None` if there is no file. A file without a checksum is what an earlier
/// program wrote.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] if the file is not what was written.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(text) => match unseal(&text) {
            Ok(read) => Ok(Some(read.value)),
            Err(why) => Err(io::Error::new(io::ErrorKind::InvalidData, why)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// As [`replace`], with a line of JSON for each value.
pub fn replace_lines<T: Serialize>(path: &Path, values: &[T]) -> io::Result<()> {
    let line = |value: &T| serde_json::to_string(value).expect("what is kept is plain data") + "\n";
    replace(path, values.iter().map(line).collect::<String>().as_bytes())
}

/// Appends a value as one line of JSON. A line that a crash tore is ended first, so that it costs
/// only itself.
pub fn append_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let mut file =
        OpenOptions::new().read(true).append(true).create(true).mode(PRIVATE).open(path)?;
    Modes::of(folder_of(path)?)?.give(&file)?;
    let mut line = Vec::new();
    if is_torn(&mut file)? {
        line.push(b'\n');
    }
    serde_json::to_writer(&mut line, value).expect("what is kept is plain data");
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_data()
}

fn is_torn(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// The lines of such a file, oldest first; those that are no such value are passed over. No file is
/// an empty one.
pub fn read_lines<T: DeserializeOwned>(path: &Path) -> io::Result<Vec<T>> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read?,
    };
    Ok(text
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_a_crash_tore_costs_only_itself() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lines.jsonl");
        append_json(&path, &1).expect("appended");
        let whole = fs::read(&path).expect("read");
        fs::write(&path, [&whole[..], b"[2, "].concat()).expect("torn");
        append_json(&path, &3).expect("appended");
        assert_eq!(read_lines::<u8>(&path).expect("read"), [1, 3]);
    }

    #[test]
    fn what_is_replaced_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret.json");
        fs::write(&path, "{}").expect("written");
        let value = std::collections::BTreeMap::from([("key".to_owned(), 7)]);
        replace_json(&path, &value).expect("replaced");
        assert_eq!(read_json(&path).expect("read"), Some(value));
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &fs::metadata(&path).expect("there").permissions(),
        );
        assert_eq!(mode & 0o777, PRIVATE);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}
