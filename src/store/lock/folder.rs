//! Locks of the operating system on files of the store's folder.
//!
//! `locks/NAME` is the file that is locked; it holds who has it alone. Who shares it has a file of
//! its own below `locks/NAME.d`, locked as well, so that one left by a killed process is known as
//! such. Only the lock on `locks/NAME` counts; the texts are for people, and failing to write them
//! (the disk may be full) is no failure.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::{Holder, Mode};
use crate::store::{StoreError, layout};

/// A lock that ends with this value, or with the process.
#[derive(Debug)]
pub struct Flock {
    file: File,
    mode: Mode,
    /// The file that tells of a shared holder.
    note: Option<(PathBuf, File)>,
}

impl Flock {
    /// Takes the lock at once, or says who has it.
    pub fn hold(store: &Path, name: &'static str, holder: &Holder) -> Result<Self, StoreError> {
        let folder = store.join(layout::LOCKS);
        let path = folder.join(name);
        let opening = || format!("opening the lock {}", path.display());
        fs::create_dir_all(&folder).map_err(StoreError::io(opening()))?;
        let mut open = File::options();
        let file = open.read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(StoreError::io(opening()))?;
        let taken = match holder.mode {
            Mode::Exclusive => file.try_lock(),
            Mode::Shared => file.try_lock_shared(),
        };
        match taken {
            Ok(()) => Ok(Self::tell(file, &folder.join(format!("{name}.d")), holder)),
            Err(TryLockError::WouldBlock) => {
                let holder = alone(file).or_else(|| sharing(&folder.join(format!("{name}.d"))));
                Err(StoreError::Busy { lock: name, holder: holder.map(Box::new) })
            }
            Err(TryLockError::Error(source)) => Err(StoreError::io(opening())(source)),
        }
    }

    fn tell(mut file: File, notes: &Path, holder: &Holder) -> Self {
        // Whoever has the lock now, a text in it is from a holder that was killed.
        let _ = file.set_len(0);
        let note = match holder.mode {
            Mode::Exclusive => {
                let _ = file.write_all(&holder.text());
                None
            }
            Mode::Shared => write_note(notes, holder).ok(),
        };
        Self { file, mode: holder.mode, note }
    }
}

impl Drop for Flock {
    fn drop(&mut self) {
        if self.mode == Mode::Exclusive {
            let _ = self.file.set_len(0);
        }
        if let Some((path, _)) = &self.note {
            let _ = fs::remove_file(path);
        }
    }
}

fn write_note(notes: &Path, holder: &Holder) -> std::io::Result<(PathBuf, File)> {
    fs::create_dir_all(notes)?;
    let path = notes.join(format!("{}.json", uuid::Uuid::new_v4()));
    let mut file = File::create_new(&path)?;
    file.lock()?;
    file.write_all(&holder.text())?;
    Ok((path, file))
}

fn alone(mut file: File) -> Option<Holder> {
    let mut text = Vec::new();
    file.read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

fn sharing(notes: &Path) -> Option<Holder> {
    let notes = fs::read_dir(notes).ok()?.filter_map(Result::ok);
    notes
        .map(|note| note.path())
        .filter(|path| !tidy(path))
        .find_map(|path| serde_json::from_slice(&fs::read(path).ok()?).ok())
}

/// Removes the note of a holder that is gone; says whether it did.
fn tidy(path: &Path) -> bool {
    let gone = File::open(path).is_ok_and(|file| file.try_lock().is_ok());
    gone && fs::remove_file(path).is_ok()
}

/// Removes the notes of holders that were killed.
pub fn tidy_notes(store: &Path) -> usize {
    let locks =
        fs::read_dir(store.join(layout::LOCKS)).into_iter().flatten().filter_map(Result::ok);
    let notes = locks.filter_map(|entry| fs::read_dir(entry.path()).ok()).flatten();
    notes.filter_map(Result::ok).filter(|note| tidy(&note.path())).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(store: &Path, what: &str, mode: Mode) -> Result<Flock, StoreError> {
        Flock::hold(store, "objects", &Holder::this(what, mode))
    }

    fn holder(result: Result<Flock, StoreError>) -> String {
        match result {
            Err(StoreError::Busy { holder: Some(holder), .. }) => holder.what,
            other => panic!("not busy: {other:?}"),
        }
    }

    #[test]
    fn who_shares_bars_who_wants_it_alone_and_the_other_way_round() {
        let store = tempfile::tempdir().expect("a folder");
        let one = hold(store.path(), "backup", Mode::Shared).expect("free");
        let two = hold(store.path(), "backup", Mode::Shared).expect("shared");
        assert_eq!(holder(hold(store.path(), "sweep", Mode::Exclusive)), "backup");
        drop((one, two));
        let alone = hold(store.path(), "sweep", Mode::Exclusive).expect("free again");
        assert_eq!(holder(hold(store.path(), "backup", Mode::Shared)), "sweep");
        drop(alone);
        assert!(hold(store.path(), "backup", Mode::Shared).is_ok());
    }

    #[test]
    fn texts_left_by_killed_holders_name_nobody() {
        let store = tempfile::tempdir().expect("a folder");
        let notes = store.path().join("locks/objects.d");
        fs::create_dir_all(&notes).expect("a folder");
        let dead = Holder::this("a killed backup", Mode::Shared).text();
        fs::write(notes.join("dead.json"), dead).expect("written");
        let dead = Holder::this("a killed sweep", Mode::Exclusive).text();
        fs::write(store.path().join("locks/objects"), dead).expect("written");

        let _alive = hold(store.path(), "a living backup", Mode::Shared).expect("free");
        assert_eq!(holder(hold(store.path(), "sweep", Mode::Exclusive)), "a living backup");
        tidy_notes(store.path());
        assert!(!notes.join("dead.json").exists());
        assert_eq!(fs::read_dir(notes).expect("readable").count(), 1, "the living one's stays");
    }
}
