//! A store that may only be read, and one in which no file can be made.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

use nix::errno::Errno;

use super::running::files;
use crate::support::program::{Ended, Program, unshare, wrap};
use crate::support::recorder::fail;
use crate::support::{TestDatabase, database};

const NOTHING_WRITTEN: [(&str, Errno, &str); 6] = [
    ("create", Errno::EROFS, "/"),
    ("open_write", Errno::EROFS, "/"),
    ("mkdir", Errno::EROFS, "/"),
    ("rename", Errno::EROFS, "/"),
    ("unlink", Errno::EROFS, "/"),
    ("write", Errno::EROFS, "/"),
];

struct Scene {
    database: TestDatabase,
    program: Program,
    first: String,
    second: String,
}

async fn scene() -> Scene {
    let database = database().await;
    let program = Program::on(&database);
    database.sql("INSERT INTO vrf VALUES ('one')").await;
    let first = program.backup();
    database.sql("INSERT INTO vrf VALUES ('two')").await;
    let second = program.backup();
    Scene { database, program, first, second }
}

/// All that reads works, a restore included; what writes says why it cannot.
async fn serves_readers(scene: &Scene, run: impl Fn(&[&str]) -> Ended) {
    let Scene { database, program, first, second } = scene;
    let before = files(program.store());
    let reading: [&[&str]; 11] = [
        &["list"],
        &["details", first],
        &["diff", first, second],
        &["diff", first],
        &["verify"],
        &["verify", first],
        &["export", first, "--output", "-"],
        &["history", "vrf", "one"],
        &["stats"],
        &["restore", first, "--dry-run"],
        &["cleanup", "1", "--dry-run"],
    ];
    for arguments in reading {
        let ended = run(arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {}{}", ended.out, ended.err);
    }
    let live = database.dump().await;
    let refused = run(&["restore", first, "--yes"]);
    assert_eq!(refused.code, 1, "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("Read-only file system"), "{}", refused.err);
    assert!(refused.err.contains("--no-safety-backup"), "{}", refused.err);
    assert!(database.dump().await == live, "refused before anything is touched");

    let restored = run(&["restore", first, "--yes", "--no-safety-backup"]);
    assert_eq!(restored.code, 0, "{}{}", restored.out, restored.err);
    let noted = format!("{}{}", restored.out, restored.err);
    assert!(noted.contains("could not note that backup"), "{noted}");
    assert_eq!(
        database
            .value("SELECT string_agg(vrf_id, ',') FROM vrf WHERE vrf_id IN ('one', 'two')")
            .await,
        "one"
    );
    for writing in [&["backup"][..], &["delete", first, "--yes"], &["cleanup", "1"]] {
        let ended = run(writing);
        assert_ne!(ended.code, 0, "{writing:?}: {}{}", ended.out, ended.err);
        assert!(ended.err.contains("Read-only file system"), "{writing:?}: {}", ended.err);
    }
    assert!(files(program.store()) == before, "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_refuses_every_change_serves_readers_and_restores() {
    let scene = scene().await;
    let run = |arguments: &[&str]| -> Ended {
        let mut command = scene.program.command(arguments);
        fail(&mut command, scene.program.store(), &NOTHING_WRITTEN);
        command.output().expect("it runs").into()
    };
    serves_readers(&scene, run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_lock_files_that_refuses_every_change_restores_and_says_so() {
    let scene = scene().await;
    std::fs::remove_dir_all(scene.program.store().join("locks")).expect("removed");
    let mut command =
        scene.program.command(&["restore", &scene.first, "--yes", "--no-safety-backup"]);
    fail(&mut command, scene.program.store(), &NOTHING_WRITTEN);
    let restored: Ended = command.output().expect("it runs").into();
    assert_eq!(restored.code, 0, "{}{}", restored.out, restored.err);
    let said = format!("{}{}", restored.out, restored.err);
    assert!(said.contains("was not locked"), "{said}");
}

/// A namespace in which the store is mounted by a script; it ends with this value.
pub struct Mounted {
    holder: Child,
    _until_dropped: ChildStdin,
}

impl Mounted {
    /// None where a mount of one's own is not permitted. The script's `$0` is the store.
    pub fn by(script: &str, program: &Program) -> Option<Self> {
        let script = format!("{script} && echo mounted && read -r _");
        let mut holder = unshare("--mount")
            .args(["sh", "-c", &script])
            .arg(program.store())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let out = holder.stdout.take().expect("piped");
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).expect("readable");
        let until_dropped = holder.stdin.take().expect("piped");
        let mounted = Self { holder, _until_dropped: until_dropped };
        (line == "mounted\n").then_some(mounted)
    }

    /// A command that sees the mount.
    pub fn enter(&self) -> Command {
        let holder = self.holder.id().to_string();
        let mut command = Command::new("nsenter");
        command.args(["--target", &holder, "--mount", "--preserve-credentials"]);
        if !nix::unistd::geteuid().is_root() {
            command.arg("--user");
        }
        command
    }

    /// Runs the program where it sees the mount.
    pub fn run(&self, program: &Program, arguments: &[&str]) -> Ended {
        let mut command = self.enter();
        wrap(&mut command, &program.command(arguments));
        command.output().expect("it runs").into()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_on_a_read_only_mount_serves_readers_and_restores() {
    let scene = scene().await;
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\"";
    let Some(mounted) = Mounted::by(script, &scene.program) else {
        println!("no mount of one's own here: the store that refuses every change was tried above");
        return;
    };
    serves_readers(&scene, |arguments| mounted.run(&scene.program, arguments)).await;
}

/// Deleting and cleaning up need no new file; a backup is refused and leaves nothing.
async fn makes_room(scene: &Scene, run: impl Fn(&[&str]) -> Ended, errors: &[&str]) {
    scene.database.sql("INSERT INTO vrf VALUES ('three')").await;
    let refused = run(&["backup"]);
    assert_eq!(refused.code, 1, "{}{}", refused.out, refused.err);
    assert!(errors.iter().any(|error| refused.err.contains(error)), "{}", refused.err);
    let deleted = run(&["delete", &scene.first, "--yes"]);
    assert_eq!(deleted.code, 0, "{}{}", deleted.out, deleted.err);
    let cleaned = run(&["cleanup", "1"]);
    assert_eq!(cleaned.code, 0, "{}{}", cleaned.out, cleaned.err);
    let listed = run(&["list"]);
    assert!(!listed.out.contains(&scene.first) && listed.out.contains(&scene.second));
    assert_eq!(run(&["verify"]).code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_inodes_or_quota_deleting_and_cleaning_up_work() {
    for (errno, words) in [(Errno::ENOSPC, "No space left"), (Errno::EDQUOT, "uota exceeded")] {
        let scene = scene().await;
        let run = |arguments: &[&str]| -> Ended {
            let mut command = scene.program.command(arguments);
            let rules = [("create", errno, "/"), ("mkdir", errno, "/"), ("write", errno, "/")];
            fail(&mut command, scene.program.store(), &rules);
            command.output().expect("it runs").into()
        };
        makes_room(&scene, run, &[words]).await;
        scene.program.backup();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_disk_whose_inodes_are_used_up_deleting_makes_room() {
    let database = database().await;
    let program = Program::on(&database);
    let Some(disk) = Mounted::by("mount -t tmpfs -o size=3m,nr_inodes=64 tmpfs \"$0\"", &program)
    else {
        println!("no mount of one's own here: inodes that are used up were made up above");
        return;
    };
    database.sql("INSERT INTO vrf VALUES ('one')").await;
    let id = |ended: Ended| {
        assert_eq!(ended.code, 0, "{}", ended.err);
        let made: serde_json::Value = serde_json::from_str(&ended.out).expect("one document");
        made["backup_id"].as_str().expect("an id").to_owned()
    };
    let first = id(disk.run(&program, &["backup", "--json"]));
    database.sql("INSERT INTO vrf VALUES ('two')").await;
    let second = id(disk.run(&program, &["backup", "--json"]));
    // As a store of an earlier version, whose locks are made when they are first needed.
    let fill =
        "rm -r \"$0\"/locks; n=0; while touch \"$0\"/filler-$n 2>/dev/null; do n=$((n+1)); done";
    let filled = disk.enter().args(["sh", "-c", fill]).arg(program.store()).status();
    assert!(filled.expect("it runs").success());
    let scene = Scene { database, program, first, second };
    makes_room(&scene, |arguments| disk.run(&scene.program, arguments), &["No space left"]).await;
}
