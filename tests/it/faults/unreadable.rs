//! One file cannot be read, or something else stands in its place: it is named, nothing hangs, and
//! whatever does not need it goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ipam_rewind::engine::{Annotation, Engine, Run};
use ipam_rewind::store::Store;
use nix::errno::Errno;

use super::running::files;
use crate::store::samples::{back_up, id, in_folder, rows};
use crate::store::sweeping::sweep_after;
use crate::support::program::{Ended, Program, as_plain_account, wrap};
use crate::support::recorder::fail;
use crate::support::{TestDatabase, database};

/// Longer than anything takes on a busy machine: what takes longer hangs.
const DEADLINE: Duration = Duration::from_mins(1);

/// The files of a store, by what they are; those of the first backup where there are several, and of
/// the packs the second backup's: the first one's has what all of them share.
fn kinds(store: &Path, first: &str) -> Vec<(&'static str, PathBuf)> {
    let all = files(store);
    let one = |start: &str| all.iter().map(|(name, _)| name).find(|name| name.starts_with(start));
    let path = |start: &str| store.join(one(start).unwrap_or_else(|| panic!("no {start}")));
    let packs = all.iter().filter(|(name, _)| name.starts_with("packs/"));
    let mut packs: Vec<_> = packs.map(|(name, _)| store.join(name)).collect();
    packs.sort_by_key(|pack| pack.metadata().and_then(|meta| meta.modified()).expect("a time"));
    vec![
        ("index", path("index/")),
        ("manifest", path(&format!("{first}/manifest.json"))),
        ("state", path(&format!("{first}/state.json"))),
        ("pack", packs[1].clone()),
        ("maintenance", store.join("locks/maintenance")),
        ("objects", store.join("locks/objects")),
        ("damaged", path("damaged.json")),
        ("doomed", path("doomed.json")),
        ("ids", path("ids.json")),
    ]
}

/// Three backups of one row each, the first annotated, and the notes of a store.
struct Scene {
    program: Program,
    database: TestDatabase,
    first: String,
    last: String,
}

impl Scene {
    async fn set() -> Self {
        let database = database().await;
        let program = Program::on(&database);
        let mut ids = Vec::new();
        for name in ["one", "two", "three"] {
            database.sql(&format!("DELETE FROM vrf; INSERT INTO vrf VALUES ('{name}')")).await;
            ids.push(program.backup());
            if name == "one" {
                program.ok(&["annotate", &ids[0], "--label", "site=a"]);
                for note in ["damaged.json", "doomed.json"] {
                    fs::write(program.store().join(note), "{\"packs\": {}}").expect("written");
                }
            }
        }
        Self { program, database, first: ids[0].clone(), last: ids[2].clone() }
    }

    /// Everything that does not need the file works, and the file is named where it matters.
    fn goes_on(&self, kind: &str, path: &Path, mut run: impl FnMut(&[&str]) -> Ended) {
        let name = path.strip_prefix(self.program.store()).expect("within").display().to_string();
        let ok = |ended: &Ended, verb: &str| {
            assert_eq!(ended.code, 0, "{verb} beside {name}: {}{}", ended.out, ended.err);
        };
        let listed = run(&["list"]);
        ok(&listed, "list");
        assert!(listed.out.contains(&self.last), "{name}: {}", listed.out);
        let verified = run(&["verify"]);
        let allowed: &[i32] = match kind {
            "manifest" | "state" | "pack" => &[4],
            _ => &[0, 4],
        };
        assert!(allowed.contains(&verified.code), "{name}: {}{}", verified.out, verified.err);
        let mut said = format!("{}{}{}{}", listed.out, listed.err, verified.out, verified.err);
        let restore = ["restore", self.last.as_str(), "--yes", "--no-safety-backup"];
        for verb in [&restore[..], &["backup"], &["cleanup", "99"]] {
            let ended = run(verb);
            ok(&ended, verb[0]);
            said += &ended.err;
        }
        let named = match kind {
            "manifest" | "state" => self.first.as_str(),
            "index" | "pack" => path.file_stem().and_then(|name| name.to_str()).expect("text"),
            _ => path.file_name().expect("a name").to_str().expect("text"),
        };
        assert!(said.contains(named), "{name} is not named: {said}");
    }
}

fn timed(inner: &Command) -> Command {
    let mut command = Command::new("timeout");
    command.arg(DEADLINE.as_secs().to_string());
    wrap(&mut command, inner);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn each_file_that_gives_an_io_error_is_named_and_the_rest_goes_on() {
    let scene = Scene::set().await;
    let mut tried = 0;
    for (kind, path) in kinds(scene.program.store(), &scene.first) {
        // Nothing is read of a lock.
        let operation = "read";
        if ["maintenance", "objects"].contains(&kind) {
            continue;
        }
        let path_text = path.to_str().expect("text").to_owned();
        scene.goes_on(kind, &path, |arguments| {
            let mut command = timed(&scene.program.command(arguments));
            let rules = [(operation, Errno::EIO, path_text.as_str())];
            fail(&mut command, scene.program.store(), &rules);
            command.output().expect("it runs").into()
        });
        tried += 1;
    }
    assert_eq!(tried, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_cannot_be_opened_is_named_and_reading_goes_on() {
    let scene = Scene::set().await;
    for lock in ["maintenance", "objects"] {
        let name = format!("/locks/{lock}");
        let run = |arguments: &[&str]| -> Ended {
            let mut command = timed(&scene.program.command(arguments));
            let rules = [("open", Errno::EIO, name.as_str())];
            fail(&mut command, scene.program.store(), &rules);
            command.output().expect("it runs").into()
        };
        for reading in [&["list"][..], &["verify"], &["diff", &scene.first, &scene.last]] {
            let ended = run(reading);
            assert_eq!(ended.code, 0, "{reading:?}: {}{}", ended.out, ended.err);
        }
        // Without it nobody knows who else is at work.
        let refused = run(&["cleanup", "99"]);
        let said = format!("{}{}", refused.out, refused.err);
        assert!(said.contains(&format!("locks/{lock}")), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_file_that_may_not_be_read_is_named_and_the_rest_goes_on() {
    let scene = Scene::set().await;
    let mut places = kinds(scene.program.store(), &scene.first);
    for stray in ["packs/zz", "20200101_000000", "stray"] {
        let stray = scene.program.store().join(stray);
        fs::create_dir(&stray).expect("made");
        places.push(("stray", stray));
    }
    for (kind, path) in places {
        // Replaced meanwhile by a backup or a cleanup.
        if !path.exists() {
            continue;
        }
        let before = fs::metadata(&path).expect("there").permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("permitted");
        let run = |arguments: &[&str]| -> Ended {
            let inner = timed(&scene.program.command(arguments));
            as_plain_account(&scene.program, &inner).output().expect("it runs").into()
        };
        match kind {
            // Its owner takes the permission back.
            "maintenance" | "objects" => {
                let ended = run(&["cleanup", "99"]);
                assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
            }
            "stray" => {
                for verb in [&["list"][..], &["backup"], &["cleanup", "99"]] {
                    let ended = run(verb);
                    assert_eq!(ended.code, 0, "{path:?} {verb:?}: {}{}", ended.out, ended.err);
                    assert!(ended.out.contains(&scene.last) || verb[0] != "list", "{}", ended.out);
                }
                assert!([0, 4].contains(&run(&["verify"]).code));
            }
            _ => scene.goes_on(kind, &path, run),
        }
        if path.exists() {
            fs::set_permissions(&path, before).expect("permitted");
        }
    }
    drop(scene.database);
}

/// What may stand in the place of a file.
const IRREGULAR: [&str; 5] = ["fifo", "socket", "link", "folder", "device"];

/// Puts it there; the file itself is beside it, where a link leads to.
fn put(what: &str, path: &Path) {
    let aside = path.with_extension("moved");
    fs::rename(path, &aside).expect("there");
    let make = |program: &str, arguments: &[&str]| {
        let made = Command::new(program).arg(path).args(arguments).status();
        assert!(made.expect("it runs").success(), "{program}");
    };
    match what {
        "fifo" => make("mkfifo", &[]),
        "socket" => drop(UnixListener::bind(path).expect("made")),
        "link" => std::os::unix::fs::symlink(&aside, path).expect("made"),
        "folder" => fs::create_dir(path).expect("made"),
        _ if nix::unistd::geteuid().is_root() => make("mknod", &["c", "1", "5"]),
        // Nobody else can make one; this one is followed by whoever follows links.
        _ => std::os::unix::fs::symlink("/dev/zero", path).expect("made"),
    }
}

async fn small_store(folder: &Path) -> Store {
    let store = in_folder(folder).await;
    for n in 1..4 {
        back_up(&store, &id(n), &rows(20, &n.to_string())).await.expect("made");
    }
    let engine = Engine::new(store.clone(), None);
    let pinned = Annotation { pinned: Some(true), ..Annotation::default() };
    engine.annotate(&id(1), &pinned).await.expect("annotated");
    for note in ["damaged.json", "doomed.json", "ids.json"] {
        fs::write(folder.join(note), "{\"packs\": {}}").expect("written");
    }
    for lock in ["maintenance", "objects"] {
        assert!(folder.join("locks").join(lock).is_file(), "made with the store");
    }
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_stands_in_the_place_of_a_file_nothing_hangs_and_the_rest_goes_on() {
    let mut tried = 0;
    for what in IRREGULAR {
        for place in 0..9 {
            let folder = crate::support::folder();
            drop(small_store(folder.path()).await);
            let (kind, path) = kinds(folder.path(), id(1).as_str()).swap_remove(place);
            put(what, &path);
            let case = format!("a {what} in the place of a {kind}");
            let run = survives(folder.path(), kind, &case);
            tokio::time::timeout(DEADLINE, run)
                .await
                .unwrap_or_else(|_| panic!("{case}: it hangs"));
            tried += 1;
        }
    }
    assert_eq!(tried, 45);
}

async fn survives(folder: &Path, kind: &str, case: &str) {
    let store = in_folder(folder).await;
    let engine = Engine::new(store.clone(), None);
    let list = engine.list().await.unwrap_or_else(|error| panic!("{case}: {error}"));
    let hidden = ["manifest", "state"].contains(&kind);
    assert_eq!(list.backups.len(), if hidden { 2 } else { 3 }, "{case}");
    assert_eq!(list.unreadable.iter().any(|why| why.contains(id(1).as_str())), hidden, "{case}");
    let report = engine.verify(&[], &Run::new()).await;
    let report = report.unwrap_or_else(|error| panic!("{case}: {error}"));
    let affected: Vec<_> = report.backups.iter().filter(|backup| !backup.intact).collect();
    let affects = ["manifest", "state", "pack"].contains(&kind);
    assert_eq!(affected.len(), usize::from(affects), "{case}: {report:?}");
    assert!(!affects || format!("{report:?}").contains("not a regular file"), "{case}: {report:?}");
    back_up(&store, &id(9), &rows(20, "new")).await.unwrap_or_else(|e| panic!("{case}: {e}"));
    store.unlink(&id(2)).await.unwrap_or_else(|error| panic!("{case}: {error}"));
    match sweep_after(&store, Duration::ZERO).await {
        // What cannot be read may need anything.
        Err(error) => assert!(["manifest", "pack"].contains(&kind), "{case}: {error}"),
        Ok(swept) => {
            let known = ["index", "damaged", "doomed"].contains(&kind);
            assert!(swept.problems.is_empty() || known, "{case}: {swept:?}");
        }
    }
    let removed = store.unlink(&id(1)).await;
    removed.unwrap_or_else(|error| panic!("{case}: it cannot be deleted: {error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fifo_in_the_place_of_a_file_does_not_stop_the_program() {
    for place in 0..9 {
        let scene = Scene::set().await;
        let (kind, path) = kinds(scene.program.store(), &scene.first).swap_remove(place);
        put("fifo", &path);
        scene.goes_on(kind, &path, |arguments| {
            timed(&scene.program.command(arguments)).output().expect("it runs").into()
        });
    }
}
