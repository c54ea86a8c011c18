//! Who may read what the program writes, and stores that several accounts share.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;

use crate::support::program::{Ended, Program, give, wrap};
use crate::support::recorder::fail;
use crate::support::serving::{Serving, ok};
use crate::support::{TestDatabase, database};

fn modes(folder: &Path, all: &mut Vec<(String, bool, u32)>) {
    for entry in fs::read_dir(folder).expect("readable") {
        let entry = entry.expect("readable");
        let meta = entry.metadata().expect("there");
        all.push((entry.path().display().to_string(), meta.is_dir(), meta.mode() & 0o7777));
        if meta.is_dir() {
            modes(&entry.path(), all);
        }
    }
}

/// Every file and every folder in the store has these permissions.
fn all_have(store: &Path, file: u32, folder: u32) {
    let mut all = Vec::new();
    modes(store, &mut all);
    assert!(all.len() > 8, "{all:?}");
    for (path, is_folder, mode) in all {
        let wanted = if is_folder { folder } else { file };
        assert_eq!(mode, wanted, "{path}: {mode:o} and not {wanted:o}");
    }
}

fn with_umask(umask: &str, inner: &Command) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")]);
    wrap(&mut command, inner);
    command
}

fn done(command: &mut Command) {
    let ended: Ended = command.output().expect("it runs").into();
    assert_eq!(ended.code, 0, "{command:?}: {}{}", ended.out, ended.err);
}

async fn with_rows() -> TestDatabase {
    let database = database().await;
    database.sql("INSERT INTO vrf VALUES ('one')").await;
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_umask_a_store_is_its_owners_alone() {
    let database = with_rows().await;
    for umask in ["000", "022", "077"] {
        for made in [false, true] {
            let program = Program::on(&database);
            let store = program.store().join("store");
            if made {
                fs::create_dir(&store).expect("made");
                fs::set_permissions(&store, PermissionsExt::from_mode(0o755)).expect("permitted");
            }
            let run = |arguments: &[&str]| {
                let mut inner = program.command(arguments);
                done(
                    with_umask(umask, inner.env("BACKUP_STORE", &store))
                        .env("BACKUP_STORE", &store),
                );
            };
            run(&["backup"]);
            run(&["verify"]);
            run(&["cleanup", "10"]);
            let mode = fs::metadata(&store).expect("there").mode() & 0o777;
            assert_eq!(mode, if made { 0o755 } else { 0o700 }, "umask {umask}");
            all_have(&store, 0o600, 0o700);
        }
    }
}

/// Two accounts of one group: their ids need not have names.
const GROUP: u32 = 61_000;
const ACCOUNTS: [u32; 2] = [61_001, 61_002];

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_a_folder_of_a_group_is_usable_for_all_its_members() {
    let database = with_rows().await;
    let program = Program::on(&database);
    let store = program.store().join("store");
    let id = program.backup();
    let archive = program.store().join("archive.tar");
    let archive = archive.to_str().expect("text");
    program.ok(&["export", &id, "--output", archive]);
    fs::create_dir(&store).expect("made");
    let root = nix::unistd::geteuid().is_root();
    if root {
        give(program.store(), 0, GROUP);
    }
    let shared = PermissionsExt::from_mode(0o2770);
    fs::set_permissions(&store, shared).expect("permitted");
    for folder in [program.store(), Path::new(archive)] {
        let all = PermissionsExt::from_mode(0o755);
        fs::set_permissions(folder, all).expect("permitted");
    }
    // Without being root there is one account to try it with, and the permissions are looked at.
    let run = |account: usize, arguments: &[&str]| {
        let mut inner = program.command(arguments);
        inner.env("BACKUP_STORE", &store);
        let inner = with_umask("077", &inner);
        let mut command = Command::new(if root { "setpriv" } else { "env" });
        if root {
            let user = ACCOUNTS[account];
            command.args([format!("--reuid={user}"), format!("--regid={user}")]);
            command.arg(format!("--groups={GROUP}"));
        }
        wrap(&mut command, &inner);
        done(&mut command);
    };
    run(0, &["import", archive]);
    run(1, &["annotate", &id, "--pin"]);
    run(0, &["annotate", &id, "--label", "site=a"]);
    run(1, &["verify"]);
    run(0, &["verify", &id]);
    run(1, &["cleanup", "1"]);
    run(0, &["cleanup", "1"]);
    all_have(&store, 0o660, 0o2770);
    run(1, &["delete", &id, "--yes"]);
    run(0, &["import", archive]);
    run(1, &["details", &id]);
}

/// A volume as it is mounted into a container, with the folder that its file system brings.
fn volume(program: &Program, group: u32, mode: u32) -> std::path::PathBuf {
    let volume = program.store().join("volume");
    fs::create_dir(&volume).expect("made");
    fs::create_dir(volume.join("lost+found")).expect("made");
    let private = PermissionsExt::from_mode(0o700);
    fs::set_permissions(volume.join("lost+found"), private).expect("permitted");
    std::os::unix::fs::chown(&volume, Some(0), Some(group)).expect("permitted");
    fs::set_permissions(&volume, PermissionsExt::from_mode(mode)).expect("permitted");
    fs::set_permissions(program.store(), PermissionsExt::from_mode(0o755)).expect("permitted");
    volume
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_of_a_group_is_usable_for_any_account_of_it() {
    if !nix::unistd::geteuid().is_root() {
        println!("only root may run programs as others: nothing was tried");
        return;
    }
    let database = with_rows().await;
    let source = Program::on(&database);
    let id = source.backup();
    let archive = source.store().join("archive.tar");
    source.ok(&["export", &id, "--output", archive.to_str().expect("text")]);
    // OpenShift: any account of group 0. Kubernetes: fsGroup, which passes the group on. And a group that is
    // not the account's first one, where nothing passes it on.
    for (group, first, mode) in
        [(0, 0, 0o775), (GROUP, 0, 0o2775), (GROUP, 61_003, 0o770), (GROUP, GROUP, 0o2770)]
    {
        let program = Program::at(None);
        let volume = volume(&program, group, mode);
        let name = format!("group {group}, first {first}, mode {mode:o}");
        let command = |account: usize, arguments: &[&str]| {
            let mut inner = program.command(arguments);
            inner.env("BACKUP_STORE", &volume);
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={}", ACCOUNTS[account]), format!("--regid={first}")]);
            command.args([format!("--groups={group}"), "--inh-caps=-all".into()]);
            wrap(&mut command, &with_umask("022", &inner));
            command
        };
        let token = |account: usize| {
            let words = format!("of-{account}");
            let mut create = command(account, &["token", "create", &words, "--role", "admin"]);
            let made: Ended = create.output().expect("it runs").into();
            assert_eq!(made.code, 0, "{name}: {}", made.err);
            made.out.trim().to_owned()
        };
        let first_token = token(0);
        for account in [0, 1, 0] {
            let serving = Serving::of(command(account, &["serve", "--listen", "127.0.0.1:0"]));
            let health = serving.json("/api/health").await;
            assert_eq!(health["checks"]["store"]["ok"], true, "{name}: {health}");
            let post = |path: &str| serving.post(path).bearer_auth(&first_token);
            let body = fs::read(&archive).expect("read");
            let tar = post("/api/import").header("content-type", "application/x-tar").body(body);
            let imported = ok(tar).await["backup_id"].clone();
            let verified =
                ok(post("/api/verify").json(&serde_json::json!({ "backups": [] }))).await;
            assert_eq!(verified["backups"][0]["intact"], true, "{name}: {verified}");
            let imported = format!("/api/backup/{}", imported.as_str().expect("an id"));
            ok(serving.request("DELETE", &imported).bearer_auth(&first_token)).await;
            let audit = ok(serving.get("/api/audit").bearer_auth(&first_token)).await;
            assert!(audit["problems"].is_null(), "{name}: {audit}");
            assert_eq!(serving.stop().await, 0, "{name}");
        }
        let second = token(1);
        assert!(second.starts_with("ipr_"));
        done(&mut command(1, &["token", "revoke", "of-0"]));
        let meta = fs::metadata(&volume).expect("there");
        assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (0, group, mode), "{name}");
        let mut all = Vec::new();
        modes(&volume, &mut all);
        assert!(all.len() > 8, "{all:?}");
        for (path, _, mode) in all.iter().filter(|(path, ..)| !path.contains("lost+found")) {
            assert_eq!(mode & 0o007, 0, "{name}: {path}: {mode:o}");
            assert_eq!(fs::metadata(path).expect("there").gid(), group, "{name}: {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_hard_links_or_a_rename_that_replaces_nothing_backups_are_made_and_kept_apart() {
    let lacking = [
        vec![("rename_new", Errno::EINVAL, "/")],
        vec![("link", Errno::EPERM, "/")],
        vec![("rename_new", Errno::EINVAL, "/"), ("link", Errno::EPERM, "/")],
        vec![("rename_new", Errno::ENOSYS, "/"), ("link", Errno::EOPNOTSUPP, "/")],
    ];
    for rules in lacking {
        let database = with_rows().await;
        let program = Program::on(&database);
        let start = || {
            let mut command = program.command(&["backup"]);
            fail(&mut command, program.store(), &rules);
            command.stdout(Stdio::null()).spawn().expect("it runs")
        };
        // Several in one second want the same id.
        let backups: Vec<_> = (0..3).map(|_| start()).collect();
        for mut backup in backups {
            assert!(backup.wait().expect("a child").success(), "{rules:?}");
        }
        assert_eq!(program.ids().len(), 3, "{rules:?}");
        program.ok(&["verify"]);
        let mut all = Vec::new();
        modes(program.store(), &mut all);
        assert!(!all.iter().any(|(path, ..)| path.contains('#')), "{all:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_system_without_locks_is_told_what_it_lacks() {
    let database = with_rows().await;
    let program = Program::on(&database);
    let rules = [("lock", Errno::EOPNOTSUPP, "/locks/")];
    let mut command = program.command(&["backup"]);
    fail(&mut command, program.store(), &rules);
    let refused: Ended = command.output().expect("it runs").into();
    assert_eq!(refused.code, 1, "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("must have flock"), "{}", refused.err);
}
