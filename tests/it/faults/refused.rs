//! A store that may not be written to.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::support::program::{Ended, Program};
use crate::support::sample_database;

/// Nobody in particular.
const NOBODY: u32 = 65534;

fn mode(folder: &Path, mode: u32) {
    fs::set_permissions(folder, fs::Permissions::from_mode(mode)).expect("mine");
}

/// Whom permissions bind: root's do not.
fn bound_by_permissions(mut command: Command) -> Ended {
    if nix::unistd::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.output().expect("it runs").into()
}

#[tokio::test]
async fn a_store_that_may_not_be_written_to_is_named_and_stays_as_it_is() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let name = program.store().to_str().expect("text").to_owned();
    mode(program.store(), 0o555);
    let empty = bound_by_permissions(program.command(&["backup"]));
    assert_eq!(empty.code, 1, "{}", empty.err);
    assert!(empty.err.contains(&name), "{}", empty.err);
    assert!(empty.err.contains("Permission denied"), "{}", empty.err);

    mode(program.store(), 0o755);
    let id = program.backup();
    mode(program.store(), 0o555);
    for arguments in [&["backup"][..], &["delete", &id, "--yes"], &["restore", &id, "--yes"]] {
        let ended = bound_by_permissions(program.command(arguments));
        assert_eq!(ended.code, 1, "{arguments:?}: {}", ended.err);
        assert!(ended.err.contains(&name), "{arguments:?}: {}", ended.err);
    }
    mode(program.store(), 0o755);
    assert_eq!(program.ids(), [id]);
}
