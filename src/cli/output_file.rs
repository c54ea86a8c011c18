//! The file that a result is written to, whatever the named path is.
//!
//! A regular file is replaced only by a whole one: what is written lies beside it until then, for its
//! owner alone, and takes over the mode and the owner of the file that it replaces. A symbolic link to
//! a regular file stays, and its target is replaced, as `>` in a shell would do. What is no regular
//! file (a device, a FIFO, an open descriptor) is written in place and never replaced.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// For its owner alone.
const PRIVATE: u32 = 0o600;

/// A file that is being written.
#[derive(Debug)]
pub enum OutputFile {
    /// Lies beside the path that it will be renamed to.
    Beside(NamedTempFile, PathBuf),
    /// Is written where it is.
    InPlace(File),
}

impl OutputFile {
    /// Begins to write to this path. A FIFO waits for its reader.
    ///
    /// # Errors
    /// If it is a folder or a link to nothing, or cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        let named = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Self::beside(path, None);
            }
            named => named?,
        };
        let target = fs::metadata(path).map_err(|error| {
            let dangling = named.is_symlink() && error.kind() == io::ErrorKind::NotFound;
            let words = "it is a symbolic link to a file that is not there; name that file";
            if dangling { io::Error::new(io::ErrorKind::NotFound, words) } else { error }
        })?;
        if target.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let place = if named.is_symlink() { fs::canonicalize(path) } else { Ok(path.to_owned()) };
        match place {
            Ok(place) if target.is_file() && !is_descriptor(path) => {
                Self::beside(&place, Some(&target))
            }
            _ => in_place(path, &target).map(Self::InPlace),
        }
    }

    fn beside(path: &Path, replaced: Option<&Metadata>) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let beside = tempfile::Builder::new()
            .prefix(".ipam-rewind-")
            .permissions(Permissions::from_mode(PRIVATE))
            .tempfile_in(folder.unwrap_or(Path::new(".")))?;
        if let Some(replaced) = replaced {
            // Writing to the file itself would need this, too.
            OpenOptions::new().append(true).open(path)?;
            let own = beside.as_file().metadata()?;
            if (own.uid(), own.gid()) != (replaced.uid(), replaced.gid()) {
                fchown(beside.as_file(), Some(replaced.uid()), Some(replaced.gid()))?;
            }
            let mode = replaced.permissions().mode() & 0o7777;
            beside.as_file().set_permissions(Permissions::from_mode(mode))?;
        }
        Ok(Self::Beside(beside, path.to_owned()))
    }

    /// Puts the whole file in its place.
    ///
    /// # Errors
    /// If it cannot be written; what was there before is then as it was.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Beside(beside, path) => {
                beside.as_file().sync_all()?;
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                beside.persist(&path).map_err(|error| error.error)?;
                File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
            }
            Self::InPlace(mut file) => file.flush(),
        }
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Beside(file, _) => file.write(bytes),
            Self::InPlace(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Beside(file, _) => file.flush(),
            Self::InPlace(file) => file.flush(),
        }
    }
}

/// Whether the path names an open descriptor, as `/dev/stdout` and `/dev/fd/3` do.
fn is_descriptor(path: &Path) -> bool {
    let mut path = path.to_owned();
    // As many links as the system follows.
    for _ in 0..40 {
        if path.starts_with("/proc") || path.starts_with("/dev/fd") {
            return true;
        }
        let Ok(target) = fs::read_link(&path) else { return false };
        path = path.parent().unwrap_or(Path::new("/")).join(target);
    }
    false
}

/// Opens what is there, if it is still what was looked at.
fn in_place(path: &Path, seen: &Metadata) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .custom_flags(nix::fcntl::OFlag::O_NOCTTY.bits())
        .open(path)?;
    let opened = file.metadata()?;
    if (opened.dev(), opened.ino()) == (seen.dev(), seen.ino()) {
        return Ok(file);
    }
    Err(io::Error::other("it was exchanged while it was opened"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn write(path: &Path, text: &str) -> io::Result<()> {
        let mut file = OutputFile::create(path)?;
        file.write_all(text.as_bytes())?;
        file.finish()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o7777
    }

    #[test]
    fn a_new_file_is_private_and_an_old_one_keeps_its_mode() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        write(&file, "one").expect("written");
        assert_eq!(mode(&file), PRIVATE);
        fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("ours");
        write(&file, "two").expect("written");
        assert_eq!((fs::read_to_string(&file).expect("read"), mode(&file)), ("two".into(), 0o640));
        drop(OutputFile::create(&file).expect("begun"));
        assert_eq!(fs::read_to_string(&file).expect("read"), "two", "until the new one is whole");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn a_link_stays_and_its_target_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let (link, target) = (folder.path().join("link"), folder.path().join("target"));
        symlink("target", &link).expect("linked");
        let refused = write(&link, "one").expect_err("a link to nothing");
        assert!(refused.to_string().contains("symbolic link"), "{refused}");
        assert!(!target.exists());
        fs::write(&target, "old").expect("written");
        write(&link, "new").expect("written");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        assert_eq!(fs::read_to_string(&target).expect("read"), "new");
    }

    #[test]
    fn what_is_no_regular_file_is_written_in_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let (null, fifo) = (folder.path().join("null"), folder.path().join("fifo"));
        symlink("/dev/null", &null).expect("linked");
        write(&null, "gone").expect("written");
        assert_eq!(fs::read_link(&null).expect("still a link"), Path::new("/dev/null"));
        let refused = write(Path::new("/dev/full"), "x").expect_err("it is full");
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("made");
        let reader = std::thread::spawn({
            let fifo = fifo.clone();
            move || fs::read_to_string(fifo).expect("read")
        });
        write(&fifo, "through").expect("written");
        assert_eq!(reader.join().expect("no panic"), "through");
        assert_eq!(
            write(folder.path(), "x").expect_err("a folder").kind(),
            io::ErrorKind::IsADirectory
        );
    }
}
