//! Locks of the operating system on files of the store's folder.
//!
//! `locks/NAME` is the file that is locked; it holds who has it alone. Who shares it has a file of
//! its own below `locks/NAME.d`, locked as well, so that one left by a killed process is known as
//! such. Only the lock on `locks/NAME` counts; the texts are for people, and failing to write them
//! (the disk may be full) is no failure.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::store::backend::files::{
    Modes, make_folders_below, open_regular, open_regular_with, put_aside,
};
use crate::store::lock::{Holder, Lock, Mode};
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
        let file = open(store, &path, holder.mode).map_err(|source| match source.kind() {
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
                StoreError::NotLockable { lock: name, source }
            }
            _ => StoreError::io(format!("opening the lock {}", path.display()))(source),
        })?;
        let taken = match holder.mode {
            Mode::Exclusive => file.try_lock(),
            Mode::Shared => file.try_lock_shared(),
        };
        match taken {
            Ok(()) => Ok(Self::tell(store, file, &folder.join(format!("{name}.d")), holder)),
            Err(TryLockError::WouldBlock) => {
                let holder = alone(file).or_else(|| sharing(&folder.join(format!("{name}.d"))));
                Err(StoreError::Busy { lock: name, holder: holder.map(Box::new) })
            }
            Err(TryLockError::Error(source)) => {
                let taking = "taking the lock {}, for which the file system must have flock";
                Err(StoreError::io(taking.replace("{}", &path.display().to_string()))(source))
            }
        }
    }

    fn tell(store: &Path, mut file: File, notes: &Path, holder: &Holder) -> Self {
        // Whoever has the lock now, a text in it is from a holder that was killed.
        let _ = file.set_len(0);
        let note = match holder.mode {
            Mode::Exclusive => {
                let _ = file.write_all(&holder.text());
                None
            }
            Mode::Shared => write_note(store, notes, holder).ok(),
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

/// Opens the file that is locked, after making it if it is not there.
///
/// # Errors
/// Those of the file system; [`ErrorKind::ReadOnlyFilesystem`] and [`ErrorKind::PermissionDenied`] where
/// nobody may write.
pub fn open_lock(store: &Path, path: &Path) -> io::Result<File> {
    open(store, path, Mode::Shared)
}

/// As [`open_lock`], making room on a full disk for who is to lock it alone.
fn open(store: &Path, path: &Path, mode: Mode) -> io::Result<File> {
    let opened = open_regular_with(path, File::options().read(true).write(true));
    let Err(error) = opened else { return opened };
    match error.kind() {
        ErrorKind::NotFound => match create(store, path) {
            // Who locks it alone deletes something.
            Err(full) if mode == Mode::Exclusive && is_full(&full) => {
                make_room(store);
                create(store, path)
            }
            created => created,
        },
        // It can be locked all the same.
        ErrorKind::ReadOnlyFilesystem => open_regular(path).map_err(|_| error),
        ErrorKind::PermissionDenied => open_regular(path).or_else(|_| {
            // Its owner may have taken the permission away.
            Modes::of(store)?.give_at(path)?;
            open_regular_with(path, File::options().read(true).write(true))
        }),
        ErrorKind::InvalidData => replace(store, path, &error),
        _ => Err(error),
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// Makes the file, unless another does at this moment.
fn create(store: &Path, path: &Path) -> io::Result<File> {
    let modes = Modes::of(store)?;
    make_folders_below(store, &store.join(layout::LOCKS), modes, false)?;
    match modes.create_new(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            open_regular_with(path, File::options().read(true).write(true))
        }
        created => created,
    }
}

/// Removes the index objects of a full disk, which are only a cache: a deletion needs its lock.
fn make_room(store: &Path) {
    for entry in fs::read_dir(store.join(layout::INDEX)).into_iter().flatten().flatten() {
        let _ = fs::remove_file(entry.path());
    }
}

/// Puts aside what stands in the place of a lock and is no file. One process at a time: a lock that
/// another has just made stays.
fn replace(store: &Path, path: &Path, found: &io::Error) -> io::Result<File> {
    let folder = File::open(store.join(layout::LOCKS))?;
    folder.lock()?;
    if !path.symlink_metadata()?.is_file() {
        put_aside(path, found)?;
    }
    create(store, path)
}

/// Makes the files of all locks, so that taking one needs no room later. What fails now is told then.
pub fn make_files(store: &Path) {
    for name in [Lock::Maintenance.name(), Lock::Objects.name(), layout::STATES_LOCK] {
        let path = store.join(layout::LOCKS).join(name);
        if !path.exists() {
            let _ = create(store, &path);
        }
    }
}

fn write_note(store: &Path, notes: &Path, holder: &Holder) -> io::Result<(PathBuf, File)> {
    let modes = Modes::of(store)?;
    make_folders_below(store, notes, modes, false)?;
    let path = notes.join(format!("{}.json", uuid::Uuid::new_v4()));
    let mut file = modes.create_new(&path)?;
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
        .find_map(|path| alone(open_regular(&path).ok()?))
}

/// Removes the note of a holder that is gone; says whether it did.
fn tidy(path: &Path) -> bool {
    let gone = open_regular(path).is_ok_and(|file| file.try_lock().is_ok());
    gone && fs::remove_file(path).is_ok()
}

/// Removes the notes of holders that were killed.
pub fn tidy_notes(store: &Path) -> usize {
    let locks =
        fs::read_dir(store.join(layout::LOCKS)).into_iter().flatten().filter_map(Result::ok);
    let is_of_notes = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "d");
    let folders = locks.map(|entry| entry.path()).filter(is_of_notes);
    let notes = folders.filter_map(|folder| fs::read_dir(folder).ok()).flatten();
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
