//! Watches what the program really does to its files, or makes it fail: a library loaded before the C
//! library (`recorder.c`), which the program calls for every operation on a file.
//!
//! It is built with the C compiler that also links this test. That it misses no change is checked by
//! whoever replays a recording: all changes together must give the folder as it is.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// The library, built once for this test process.
static LIBRARY: LazyLock<(tempfile::TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = super::folder();
    let library = folder.path().join("recorder.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/recorder.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source);
    assert!(compiler.status().expect("a C compiler").success());
    // Other accounts load it, too.
    let all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), all).expect("permitted");
    (folder, library)
});

/// Lets a command be watched below this folder.
pub fn watch(command: &mut Command, folder: &Path) {
    let folder = folder.canonicalize().expect("a folder");
    command.env("LD_PRELOAD", &LIBRARY.1).env("RECORDER_ROOT", folder);
}

/// Lets operations of a command fail: see `recorder.c` for what they are called.
pub fn fail(command: &mut Command, folder: &Path, rules: &[(&str, nix::errno::Errno, &str)]) {
    watch(command, folder);
    let rule = |(operation, errno, text): &(&str, nix::errno::Errno, &str)| {
        format!("{operation}:{}:{text}", *errno as i32)
    };
    let rules: Vec<_> = rules.iter().map(rule).collect();
    command.env("RECORDER_FAIL", rules.join(";"));
}

/// What was done to the files: inodes by their numbers, paths from the folder on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Create { path: String, inode: u64 },
    Folder { path: String, inode: u64 },
    Write { inode: u64, at: usize, bytes: Vec<u8> },
    Truncate { inode: u64, length: usize },
    Sync { inode: u64 },
    Rename { from: String, to: String },
    Link { from: String, to: String },
    Remove { path: String },
}

/// Reads what a command that was watched has recorded.
pub fn parse(log: &[u8]) -> Vec<Change> {
    let mut rest = log;
    let mut changes = Vec::new();
    while let Some((kind, after)) = rest.split_first() {
        rest = after;
        changes.push(match kind {
            b'O' => Change::Create { path: text(&mut rest), inode: number(&mut rest) },
            b'M' => Change::Folder { path: text(&mut rest), inode: number(&mut rest) },
            b'W' => {
                let (inode, at) = (number(&mut rest), length(&mut rest));
                let bytes = length(&mut rest);
                let bytes = take(&mut rest, bytes).to_vec();
                Change::Write { inode, at, bytes }
            }
            b'T' => Change::Truncate { inode: number(&mut rest), length: length(&mut rest) },
            b'F' => Change::Sync { inode: number(&mut rest) },
            b'R' => Change::Rename { from: text(&mut rest), to: text(&mut rest) },
            b'L' => Change::Link { from: text(&mut rest), to: text(&mut rest) },
            b'U' => Change::Remove { path: text(&mut rest) },
            other => panic!("no kind of record: {other}"),
        });
    }
    changes
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(length);
    *rest = left;
    taken
}

fn number(rest: &mut &[u8]) -> u64 {
    let bytes = take(rest, 8);
    u64::from_le_bytes(bytes.try_into().expect("eight"))
}

fn length(rest: &mut &[u8]) -> usize {
    usize::try_from(number(rest)).expect("small")
}

fn text(rest: &mut &[u8]) -> String {
    let length = length(rest);
    String::from_utf8(take(rest, length).to_vec()).expect("text")
}
