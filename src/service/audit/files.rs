//! The files of one caller and kind: one that is appended to, and older ones, a bounded number.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::service::audit::{Entry, Newest};
use crate::service::files::append_json;

/// Bytes from which on a file is put aside and a new one begun.
pub const LARGE: u64 = 1024 * 1024;
/// Files put aside that are kept.
pub const KEPT: u8 = 4;

/// `NAME.jsonl`, `NAME.1.jsonl` and so on, newest first.
#[derive(Debug, Clone)]
pub struct Family {
    path: PathBuf,
}

/// The first file of the family that a file belongs to; none if the file is none of the log.
pub fn base(path: &Path) -> Option<PathBuf> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".jsonl")?;
    let number = |(name, number): (&str, &str)| {
        let put_aside = (1..=KEPT).any(|one| number == one.to_string());
        put_aside.then(|| name.to_owned())
    };
    let name = stem.rsplit_once('.').and_then(number).unwrap_or_else(|| stem.to_owned());
    Some(path.with_file_name(format!("{name}.jsonl")))
}

impl Family {
    /// The family whose newest file this is.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Appends an entry; it is on the disk when this returns.
    pub fn append(&self, entry: &Entry) -> io::Result<()> {
        let bytes = fs::metadata(&self.path).map(|meta| meta.len());
        if bytes.as_ref().is_ok_and(|bytes| *bytes >= LARGE) {
            self.rotate()?;
        }
        append_json(&self.path, entry)?;
        if bytes.is_err()
            && let Some(folder) = self.path.parent()
        {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    /// `NAME.jsonl` becomes `NAME.1.jsonl`, that `NAME.2.jsonl`, and so on; the oldest goes.
    fn rotate(&self) -> io::Result<()> {
        for number in (1..=KEPT).rev() {
            match fs::rename(self.numbered(number - 1), self.numbered(number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn numbered(&self, number: u8) -> PathBuf {
        if number == 0 {
            return self.path.clone();
        }
        self.path.with_extension(format!("{number}.jsonl"))
    }

    /// Adds the newest entries, newest first, and says what cannot be read.
    pub fn read(&self, limit: usize, takes: fn(&Entry) -> bool, newest: &mut Newest) {
        let mut read = 0;
        for number in 0..=KEPT {
            let path = self.numbered(number);
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let text = match fs::read(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    newest.problems.push(format!("{name} cannot be read: {error}"));
                    continue;
                }
            };
            let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let entries: Vec<Option<Entry>> =
                lines.map(|line| serde_json::from_slice(line).ok()).collect();
            let damaged = entries.iter().filter(|entry| entry.is_none()).count();
            if damaged > 0 {
                newest.problems.push(format!("{name}: {damaged} lines are damaged"));
            }
            let before = newest.entries.len();
            newest.entries.extend(entries.into_iter().rev().flatten().filter(takes));
            read += newest.entries.len() - before;
            if read >= limit {
                return;
            }
        }
    }
}
