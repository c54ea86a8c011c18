//! The application's own backups come into the store by the loop of docs/integrate.md, word for word.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::docs::block;
use crate::archive::application::Files;
use crate::support::database;
use crate::support::program::{Ended, Program};

/// Stands for Docker: runs what is to run in the container.
const DOCKER: &str = r#"#!/bin/sh
case "$*" in
    "compose exec -T ipam-rewind ipam-rewind "*) shift 5; exec "$PROGRAM" "$@" ;;
    *) echo "unexpected: $*" >&2; exit 1 ;;
esac
"#;

#[tokio::test]
async fn loop_finds_the_backups_below_the_backend() {
    let database = database().await;
    let program = Program::on(&database);
    let host = tempfile::tempdir().expect("a folder");
    let backups = host.path().join("backend/backups");
    fs::create_dir_all(&backups).expect("made");
    for id in ["20240611_081500", "20240612_081500"] {
        let files = Files { id, ..Files::small() }.write();
        let copied = Command::new("cp").arg("-r").arg(files.path()).arg(backups.join(id)).status();
        assert!(copied.expect("cp runs").success());
    }
    let docker = host.path().join("docker");
    fs::write(&docker, DOCKER).expect("written");
    fs::set_permissions(&docker, fs::Permissions::from_mode(0o755)).expect("may be run");
    let script = block("sh existing");
    for _ in 0..2 {
        let mut shell = Command::new("sh");
        shell.args(["-euc", &script]).current_dir(host.path()).env_clear();
        shell.env("PATH", format!("{}:/usr/bin:/bin", host.path().display()));
        shell.env("PROGRAM", env!("CARGO_BIN_EXE_ipam-rewind"));
        shell.env("BACKUP_STORE", program.store()).env("DATABASE_URL", &database.url);
        let ended = Ended::from(shell.output().expect("the shell runs"));
        assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
        assert_eq!(program.ids(), ["20240612_081500", "20240611_081500"]);
    }
}
