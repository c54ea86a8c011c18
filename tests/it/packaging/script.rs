//! `backup_restore_cli.sh` where only a container has the program.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::docs::file;
use crate::support::program::Ended;

/// Stands for Docker: notes how it was called, and for `exec` answers with its standard input.
const DOCKER: &str = r#"#!/bin/sh
printf '%s\n' "$*" >> "$NOTES"
case "$*" in
    "compose ps "*) [ -n "$NOBODY" ] || echo 0123456789ab ;;
    *) cat; exit 3 ;;
esac
"#;

fn program(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("may be run");
}

/// Runs the script where there is no program but this Docker; what it said, and how it called Docker.
fn run(arguments: &[&str], nobody: &str) -> (Ended, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let (script, notes) =
        (folder.path().join("backup_restore_cli.sh"), folder.path().join("notes"));
    program(&script, &file("backup_restore_cli.sh"));
    program(&folder.path().join("docker"), DOCKER);
    fs::write(folder.path().join("input"), "an archive").expect("written");
    let input = fs::File::open(folder.path().join("input")).expect("there");
    let mut command = Command::new(&script);
    command.args(arguments).stdin(Stdio::from(input)).env_clear();
    command.env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()));
    command.env("NOTES", &notes).env("NOBODY", nobody);
    let ended = Ended::from(command.output().expect("the script runs"));
    (ended, fs::read_to_string(&notes).unwrap_or_default())
}

#[test]
fn a_verb_runs_in_the_container_with_its_words_its_input_and_its_exit_code() {
    let (ended, calls) = run(&["import", "-", "--json"], "");
    assert_eq!((ended.code, ended.out.as_str()), (3, "an archive"), "{}", ended.err);
    let calls: Vec<_> = calls.lines().collect();
    assert_eq!(
        calls,
        [
            "compose ps --quiet --status running ipam-rewind",
            "compose exec -T ipam-rewind ipam-rewind import - --json",
        ]
    );
}

#[test]
fn without_program_and_container_it_says_so() {
    let (ended, _) = run(&["list"], "yes");
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("neither built here"), "{}", ended.err);
}
