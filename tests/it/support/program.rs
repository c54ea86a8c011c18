//! The program as its users run it: a process with a store, a database and an exit code.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::TestDatabase;

/// The program over one store and, perhaps, one database.
pub struct Program {
    folder: tempfile::TempDir,
    database: Option<String>,
}

/// How a run ended.
pub struct Ended {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Program {
    /// With an empty folder for the store.
    pub fn on(database: &TestDatabase) -> Self {
        Self::at(Some(database.url.clone()))
    }

    /// With an empty folder for the store, and this database or none.
    pub fn at(database: Option<String>) -> Self {
        Self { folder: super::folder(), database }
    }

    /// The store's folder.
    pub fn store(&self) -> &Path {
        self.folder.path()
    }

    /// A command that is yet to be run, without a terminal.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipam-rewind"));
        command.args(arguments).stdin(Stdio::null()).env_clear();
        command.env("BACKUP_STORE", self.store());
        if let Some(url) = &self.database {
            command.env("DATABASE_URL", url);
        }
        command
    }

    /// Runs a command line to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.command(arguments).output().expect("the program runs").into()
    }

    /// Runs a command line that must succeed; its standard output.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {}{}", ended.out, ended.err);
        ended.out
    }

    /// Runs a command line with `--json` that must succeed; the document.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let out = self.ok(&[arguments, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error} in {out}"))
    }

    /// Makes a backup; its id.
    pub fn backup(&self) -> String {
        let created = self.json(&["backup"]);
        created["backup_id"].as_str().expect("an id").to_owned()
    }

    /// The ids of all backups, newest first.
    pub fn ids(&self) -> Vec<String> {
        let list = self.json(&["list"]);
        let backups = list["backups"].as_array().expect("a list");
        backups.iter().map(|b| b["backup_id"].as_str().expect("an id").to_owned()).collect()
    }
}

/// Lets a command run another with the other's environment.
pub fn wrap(command: &mut Command, inner: &Command) {
    command.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        command.env(name, value.expect("set"));
    }
}

/// A command that runs another as the account of PostgreSQL, which is not root and may connect. The
/// store is given to it. Where the tests are run by another account than root, it is that one.
pub fn as_plain_account(program: &Program, inner: &Command) -> Command {
    let sockets = super::postgres().url("", "");
    let sockets = sockets.rsplit_once("host=").expect("a socket").1.replace("%2F", "/");
    let account = std::fs::metadata(&sockets).expect("its folder");
    let (user, group) = (account.uid(), account.gid());
    if !nix::unistd::geteuid().is_root() || user == 0 {
        let mut command = Command::new("env");
        wrap(&mut command, inner);
        return command;
    }
    give(program.store(), user, group);
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={user}"), format!("--regid={group}")]).arg("--clear-groups");
    wrap(&mut command, inner);
    command
}

/// Gives a folder and all in it to an account.
pub fn give(folder: &Path, user: u32, group: u32) {
    let owner = format!("{user}:{group}");
    let given = Command::new("chown").arg("-hR").arg(owner).arg(folder).status();
    assert!(given.expect("chown runs").success());
}

/// A command that runs another in a namespace of its own, where that is permitted.
pub fn unshare(namespace: &str) -> Command {
    let mut command = Command::new("unshare");
    command.arg(namespace);
    if !nix::unistd::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
