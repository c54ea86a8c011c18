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
printf 'file %s\n' "$COMPOSE_FILE" >> "$NOTES"
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
    run_with(arguments, &[("NOBODY", nobody)], |_| {})
}

/// As [`run`], with these variables and what `prepare` puts into the script's folder.
fn run_with(
    arguments: &[&str],
    variables: &[(&str, &str)],
    prepare: impl Fn(&Path),
) -> (Ended, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let (script, notes) =
        (folder.path().join("backup_restore_cli.sh"), folder.path().join("notes"));
    prepare(folder.path());
    program(&script, &file("backup_restore_cli.sh"));
    program(&folder.path().join("docker"), DOCKER);
    fs::write(folder.path().join("input"), "an archive").expect("written");
    let input = fs::File::open(folder.path().join("input")).expect("there");
    let mut command = Command::new(&script);
    command.args(arguments).stdin(Stdio::from(input)).env_clear();
    command.env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()));
    command.env("NOTES", &notes).envs(variables.iter().copied()).current_dir("/");
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
            "file ",
            "compose exec -T ipam-rewind ipam-rewind import - --json",
            "file ",
        ]
    );
}

#[test]
fn without_program_and_container_it_says_so() {
    let (ended, _) = run(&["list"], "yes");
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("neither built here"), "{}", ended.err);
    assert!(ended.err.contains("no Compose file was found"), "{}", ended.err);
}

#[test]
fn the_compose_file_is_named_by_an_option_a_variable_or_the_folder_and_told() {
    let beside = |folder: &Path| {
        fs::write(folder.join("docker-compose.yml"), "").expect("written");
    };
    let (ended, calls) = run_with(&["list"], &[], beside);
    let told = |ended: &Ended, name: &str| {
        assert!(ended.err.contains("Using the service ipam-rewind of "), "{}", ended.err);
        assert!(ended.err.contains(name), "{name} in {}", ended.err);
    };
    told(&ended, "/docker-compose.yml");
    assert!(calls.contains("/docker-compose.yml"), "{calls}");

    let variable = [("COMPOSE_FILE", "/srv/a.yml:/srv/b.yml")];
    let (ended, calls) = run_with(&["list"], &variable, beside);
    told(&ended, "/srv/a.yml:/srv/b.yml");
    assert!(calls.contains("file /srv/a.yml:/srv/b.yml"), "{calls}");

    let options = ["--compose-file", "/srv/c.yml", "--compose-file=/srv/d.yml", "list", "--json"];
    let (ended, calls) = run_with(&options, &variable, beside);
    told(&ended, "/srv/c.yml:/srv/d.yml");
    assert!(calls.contains("exec -T ipam-rewind ipam-rewind list --json"), "{calls}");

    let (ended, _) = run(&["--compose-file"], "");
    assert_eq!(ended.code, 2, "{}", ended.err);
}

#[test]
fn a_container_that_does_not_run_is_told_with_the_file_that_was_looked_at() {
    let variables = [("NOBODY", "yes"), ("COMPOSE_FILE", "/srv/a.yml")];
    let (ended, _) = run_with(&["list"], &variables, |_| {});
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("(/srv/a.yml)"), "{}", ended.err);
}
