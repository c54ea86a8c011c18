//! Opens regular files and nothing else.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;

/// Opens a file for reading. Never waits, and never follows a link that stands in its place.
///
/// # Errors
/// Says what it is, if it is no regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    open_regular_with(path, OpenOptions::new().read(true))
}

/// As [`open_regular`], with these options.
pub fn open_regular_with(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    match options.custom_flags(flags.bits()).open(path) {
        Ok(file) => {
            let kind = file.metadata()?.file_type();
            if kind.is_file() { Ok(file) } else { Err(irregular(kind)) }
        }
        Err(error) => Err(match path.symlink_metadata() {
            Ok(meta) if !meta.is_file() && is_about_the_kind(&error) => irregular(meta.file_type()),
            _ => error,
        }),
    }
}

/// A socket cannot be opened, nor a folder for writing, nor a FIFO that nobody reads.
fn is_about_the_kind(error: &io::Error) -> bool {
    let errnos = [Errno::ELOOP, Errno::ENXIO, Errno::EISDIR, Errno::ENODEV, Errno::EOPNOTSUPP];
    error.raw_os_error().is_some_and(|raw| errnos.contains(&Errno::from_raw(raw)))
}

fn irregular(kind: FileType) -> io::Error {
    let what = if kind.is_dir() {
        "a folder"
    } else if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    io::Error::new(ErrorKind::InvalidData, format!("it is {what}, not a regular file"))
}
