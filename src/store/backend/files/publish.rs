//! Folder entries: new ones that replace nothing, folders, removals, and making them durable.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use nix::errno::Errno;

use crate::store::backend::files::Modes;

/// Errors of a file system that does not have an operation.
const UNSUPPORTED: [Errno; 5] =
    [Errno::EINVAL, Errno::ENOSYS, Errno::EOPNOTSUPP, Errno::EPERM, Errno::EBADF];

fn is_unsupported(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|raw| UNSUPPORTED.contains(&Errno::from_raw(raw)))
}

/// Gives a file a name, in place of whatever has it. A folder is put aside.
pub fn replace(staged: &Path, path: &Path) -> io::Result<()> {
    match fs::rename(staged, path) {
        Err(error) if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) => {
            put_aside(path, &error)?;
            fs::rename(staged, path)
        }
        renamed => renamed,
    }
}

/// Gives another name to what stands in the place of a file.
pub fn put_aside(path: &Path, why: &io::Error) -> io::Result<()> {
    let aside = path.with_extension(format!("aside-{}", uuid::Uuid::new_v4()));
    tracing::warn!("{} is put aside as {}: {why}", path.display(), aside.display());
    fs::rename(path, aside)
}

/// Gives a file a name that must be free.
///
/// The kernel is asked to rename without replacing; where the file system cannot, a hard link does
/// it; where it has none, whoever creates holds a lock on the folder.
pub fn rename_to_new(staged: &Path, path: &Path) -> io::Result<()> {
    match rename_without_replacing(staged, path) {
        Err(error) if is_unsupported(&error) => {}
        done => return done,
    }
    match fs::hard_link(staged, path) {
        Err(error) if is_unsupported(&error) => {}
        linked => {
            linked?;
            // What stays is removed by the next sweep.
            let _ = fs::remove_file(staged);
            return Ok(());
        }
    }
    let folder = File::open(path.parent().unwrap_or(Path::new(".")))?;
    folder.lock().map_err(|error| {
        let lacks = "the file system lacks what creating a file safely needs: renaming without \
                     replacing, hard links, or locks on folders";
        io::Error::new(error.kind(), format!("{lacks} ({error})"))
    })?;
    match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => fs::rename(staged, path),
        Err(error) => Err(error),
        Ok(_) => Err(ErrorKind::AlreadyExists.into()),
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
    Ok(renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE)?)
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn rename_without_replacing(_: &Path, _: &Path) -> io::Result<()> {
    Err(Errno::ENOSYS.into())
}

/// Makes a folder and those above it that are not there; `durable` waits for their entries. One that
/// another makes at the same moment is as good.
pub fn make_folders(folder: &Path, modes: Modes, durable: bool) -> io::Result<()> {
    let above = folder.parent().unwrap_or(Path::new("/"));
    let made = match modes.create_folder(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make_folders(above, modes, durable)?;
            modes.create_folder(folder)
        }
        made => made,
    };
    match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Ok(()) if durable => sync_folder(above),
        made => made,
    }
}

/// As [`make_folders`], below a folder that must be there: one that is gone, with a volume that is not mounted,
/// is not made again.
pub fn make_folders_below(
    root: &Path,
    folder: &Path,
    modes: Modes,
    durable: bool,
) -> io::Result<()> {
    if !root.is_dir() {
        let words = format!("the folder {} is gone", root.display());
        return Err(io::Error::new(ErrorKind::NotFound, words));
    }
    make_folders(folder, modes, durable)
}

/// Removes a file, or an empty folder that stands in its place.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) => {
            fs::remove_dir(path).map_err(|_| error)
        }
        removed => removed,
    }
}

/// Waits until the entries of a folder are durable: names that were added, and those that are gone.
/// A folder that is gone has none.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // Not every file system can do it for folders; then it keeps their order itself, or nobody does.
        Err(error) if is_unsupported(&error) => Ok(()),
        synced => synced,
    }
}
