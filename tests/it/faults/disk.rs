//! The disk is full: nothing is added, nothing is lost, and room can be made.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use ipam_rewind::engine::{BackupRequest, Engine, EngineError, Kind, RestoreOptions, Run};
use ipam_rewind::store::{LockKind, Store};
use object_store::local::LocalFileSystem;

use super::read_only::Mounted;
use super::running::{change, files, recovers, whole};
use crate::store::faults::Faulty;
use crate::support::program::{Ended, Program, wrap};
use crate::support::serving::Serving;
use crate::support::{TestDatabase, sample_database};

/// An engine on a disk whose space the test decides on.
async fn on_a_disk(folder: &Path, database: &TestDatabase) -> (Engine, Arc<Faulty>) {
    let disk = LocalFileSystem::new_with_prefix(folder).expect("a folder");
    let disk = Faulty::over(Arc::new(disk));
    let store = Store::over(disk.clone(), Some(folder), LockKind::Folder).await;
    let engine = Engine::new(store.expect("made"), Some(database.url.clone()));
    (engine, disk)
}

fn says_full<T: std::fmt::Debug>(result: Result<T, EngineError>) {
    let words = result.expect_err("no room for it").chain().join(": ");
    assert!(words.contains("No space left on device"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_space_that_is_left_a_backup_is_whole_or_is_not_there() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let first = program.backup();
    let (engine, disk) = on_a_disk(program.store(), &database).await;
    database.sql("UPDATE prefix SET tags = '{\"much\": \"more\"}' WHERE source = 'manual'").await;
    // Too little for the pack, for the index beside it, and for the manifest.
    for space in [0, 1_000, 20_000] {
        disk.leave_space(space);
        says_full(engine.backup(BackupRequest::default(), &Run::new()).await);
        assert_eq!(whole(&program), [first.as_str()], "{space} bytes left");
    }
    recovers(&program, &database);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_cannot_keep_the_current_state_is_refused_before_it_changes_anything() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let first = program.backup();
    let wanted = database.dump().await;
    change(&database).await;
    let changed = database.dump().await;
    let (engine, disk) = on_a_disk(program.store(), &database).await;
    disk.leave_space(1_000);
    let id = first.parse().expect("an id");
    let options = RestoreOptions::default();
    says_full(engine.restore(&id, &options, &Run::new()).await);
    assert!(database.dump().await == changed);
    assert_eq!(whole(&program), [first.as_str()]);

    disk.leave_space(i64::MAX);
    let restored = engine.restore(&id, &options, &Run::new()).await;
    let safety = restored.expect("room for it").restore_results.safety_backup;
    assert!(database.dump().await == wanted);

    disk.leave_space(0);
    let safety = safety.expect("the default");
    let deleted = engine.delete(&safety, &Run::new()).await.expect("deleted");
    assert!(deleted.freed.bytes > 0, "{deleted:?}");
    assert_eq!(whole(&program), [first]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_does_not_hide_damage() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let first = program.backup();
    let (engine, disk) = on_a_disk(program.store(), &database).await;
    let mut files = files(program.store()).into_iter();
    let pack = files.find(|(name, _)| name.starts_with("packs/"));
    let pack = program.store().join(pack.expect("one").0);
    let mut bytes = std::fs::read(&pack).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&pack, bytes).expect("written");
    disk.leave_space(0);
    let report = engine.verify(&[], &Run::new()).await.expect("a report");
    assert!(!report.backups[0].intact, "{report:?}");
    let id = first.parse().expect("an id");
    let options = RestoreOptions::default();
    let refused = engine.restore(&id, &options, &Run::new()).await;
    let refused = refused.expect_err("damaged");
    assert_eq!(refused.kind(), Kind::Damaged, "{refused}");
}

/// A disk of three megabytes that only commands run by it see.
struct SmallDisk {
    mounted: Mounted,
    program: Program,
}

impl SmallDisk {
    /// None where a mount of one's own is not permitted.
    fn mounted(program: Program) -> Option<Self> {
        let mounted = Mounted::by("mount -t tmpfs -o size=3m tmpfs \"$0\"", &program)?;
        Some(Self { mounted, program })
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.mounted.run(&self.program, arguments)
    }

    fn shell(&self, script: &str) {
        let done = self.mounted.enter().args(["sh", "-c", script]).status();
        assert!(done.expect("it runs").success(), "{script}");
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {}{}", ended.out, ended.err);
        ended.out
    }

    fn ids(&self) -> Vec<String> {
        let list: serde_json::Value =
            serde_json::from_str(&self.ok(&["list", "--json"])).expect("a document");
        let id = |backup: &serde_json::Value| backup["backup_id"].as_str().expect("an id").into();
        let backups = list["backups"].as_array().expect("a list");
        backups.iter().map(id).collect()
    }
}

/// Makes the rows incompressible and different from those of every other round.
async fn fill(database: &TestDatabase, round: u32) {
    let fill = format!(
        "ALTER TABLE prefix DISABLE TRIGGER USER;
         UPDATE prefix SET tags = jsonb_build_object('noise', (SELECT
            string_agg(md5(prefix_id || n || '{round}'), '') FROM generate_series(1, 10) n));
         ALTER TABLE prefix ENABLE TRIGGER USER"
    );
    database.sql(&fill).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_really_full_refuses_a_backup_and_is_freed_by_deleting() {
    let database = sample_database().await;
    let Some(disk) = SmallDisk::mounted(Program::on(&database)) else {
        println!("no mount of one's own here: the limit on files below is what was tried");
        return;
    };
    let mut full = None;
    for round in 0..8 {
        let ended = disk.run(&["backup"]);
        if ended.code != 0 {
            full = Some(ended);
            break;
        }
        fill(&database, round).await;
    }
    let full = full.expect("three megabytes do not hold eight such backups");
    assert_eq!(full.code, 1, "{}", full.err);
    assert!(full.err.contains("No space left on device"), "{}", full.err);
    let ids = disk.ids();
    assert!(!ids.is_empty());
    disk.ok(&["verify"]);

    // Now not one byte is left.
    let filler = disk.program.store().join("filler");
    let filler = filler.display();
    disk.shell(&format!("cat /dev/zero > {filler} 2>/dev/null; true"));
    let deleted = disk.ok(&["delete", &ids[0], "--yes"]);
    assert!(!deleted.contains("0 B freed"), "{deleted}");
    disk.ok(&["cleanup", "0", "--allow-empty"]);
    assert_eq!(disk.ids().len(), 0);
    disk.shell(&format!("rm {filler}"));
    disk.ok(&["backup"]);
    disk.ok(&["verify"]);
    assert_eq!(disk.ids().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_revoked_on_a_disk_that_is_full_and_a_failure_to_do_so_is_said() {
    let Some(disk) = SmallDisk::mounted(Program::at(None)) else {
        println!("no mount of one's own here: nothing was tried");
        return;
    };
    let create = |name| disk.ok(&["token", "create", name, "--role", "admin"]).trim().to_owned();
    let [gone, stays, last] = ["gone", "stays", "last"].map(create);
    let mut serve = disk.mounted.enter();
    wrap(&mut serve, &disk.program.command(&["serve", "--listen", "127.0.0.1:0"]));
    let serving = Serving::of(serve);
    let status = async |token: &str| {
        let answer = serving.get("/api/backups").bearer_auth(token).send().await;
        answer.expect("it answers").status().as_u16()
    };
    assert_eq!(status(&gone).await, 200);
    let store = disk.program.store().display();
    disk.shell(&format!("cat /dev/zero > {store}/filler 2>/dev/null; true"));
    disk.ok(&["token", "revoke", "gone"]);
    assert_eq!((status(&gone).await, status(&stays).await), (401, 200));
    let listed = disk.ok(&["token", "list"]);
    assert!(!listed.contains("gone") && listed.contains("stays"), "{listed}");
    disk.ok(&["token", "revoke", "stays"]);
    assert_eq!((status(&stays).await, status(&last).await), (401, 200));

    assert_eq!(serving.stop().await, 0);

    // What can be written in no way is said, and counts as it is.
    disk.shell(&format!("mount -o remount,ro {store}"));
    let ended = disk.run(&["token", "revoke", "last"]);
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("Read-only file system"), "{}", ended.err);
    assert!(ended.err.contains("token last is NOT revoked"), "{}", ended.err);
    assert!(disk.ok(&["token", "list"]).contains("last"));
    disk.shell(&format!("mount -o remount,rw {store}"));
    disk.ok(&["token", "revoke", "last"]);
    assert!(!disk.ok(&["token", "list"]).contains("last"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_may_not_write_so_much_leaves_nothing_behind() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let first = program.backup();
    fill(&database, 1).await;
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\""]);
    wrap(&mut limited, &program.command(&["backup"]));
    let ended: Ended = limited.output().expect("it runs").into();
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("File too large"), "{}", ended.err);
    let left = files(program.store());
    assert!(!left.iter().any(|(name, _)| name.contains('#')), "{left:?}");
    assert_eq!(whole(&program), [first]);
    recovers(&program, &database);
}
