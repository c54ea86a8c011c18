//! What reaches a terminal, and what becomes of the file that an export is to write.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

use ipam_rewind::model::is_hidden;

use crate::cli::{on_a_terminal, seen};
use crate::support::database;
use crate::support::program::{Ended, Program};
use crate::support::serving::Serving;

/// What a terminal obeys, and what a reader does not see.
const HOSTILE: &str =
    "a\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}\u{2066}\u{200b}\u{feff}\u{2028}\r\nz";

/// The characters that nothing but a line end may be among.
fn hidden(text: &str) -> Vec<char> {
    text.chars().filter(|c| *c != '\n' && is_hidden(*c)).collect()
}

#[tokio::test]
async fn values_of_rows_reach_no_terminal_raw_and_stay_exact_in_data() {
    let database = database().await;
    let program = Program::on(&database);
    let id = program.backup();
    let sql = format!("INSERT INTO vrf VALUES ('{HOSTILE}', '{HOSTILE}')");
    database.sql(&sql).await;
    let second = program.backup();
    let wrong = format!("{HOSTILE}, nonsense");
    let lines: [&[&str]; 11] = [
        &["diff", &id],
        &["diff", &id, &second],
        &["diff", &id, "--json"],
        &["restore", &id, "--dry-run"],
        &["restore", &id, "--dry-run", "--json"],
        &["history", "vrf", HOSTILE],
        &["history", "vrf", HOSTILE, "--json"],
        &["history", "prefix", &wrong],
        &["history", HOSTILE, HOSTILE],
        &["restore", &id, "--vrf", &wrong, "--yes"],
        &["list", HOSTILE],
    ];
    for line in lines {
        for json in [&[][..], &["--json"]] {
            let line: Vec<_> = line.iter().copied().filter(|word| *word != "--json").collect();
            let Ended { out, err, .. } = program.run(&[&line[..], json].concat());
            assert_eq!((hidden(&out), hidden(&err)), (vec![], vec![]), "{line:?}: {out}{err}");
            assert!(format!("{out}{err}").contains("202e"), "{line:?} {json:?}: {out}{err}");
        }
    }
    let report = program.json(&["diff", &id]);
    assert_eq!(report["changes"][0]["key"], HOSTILE, "JSON is the value");
    let csv = program.ok(&["diff", &id, "--format", "csv"]);
    assert!(csv.contains(HOSTILE), "CSV is the value: {csv:?}");
    if on_a_terminal("true").status().is_ok_and(|ended| ended.success()) {
        for format in ["csv", "jsonl"] {
            let (_, screen) = seen(&program.command(&["diff", &id, "-q", "--format", format]), b"");
            assert!(screen.contains("202e"), "{screen:?}");
            assert!(hidden(&screen.replace('\r', "")).is_empty(), "{screen:?}");
        }
        let (code, screen) = seen(&program.command(&["export", &id, "-o", "-"]), b"");
        assert!(code == 1 && screen.contains("it is a terminal"), "{screen}");
    }
}

#[tokio::test]
async fn colours_are_for_terminals_alone_and_for_those_that_want_them() {
    let database = database().await;
    let program = Program::on(&database);
    let forced = |arguments: &[&str]| {
        let mut command = program.command(arguments);
        command.env("CLICOLOR_FORCE", "1").env("FORCE_COLOR", "1");
        command
    };
    for line in [
        &["--help"][..],
        &["restore", "--help"],
        &["restore"],
        &["list", "--no-such"],
        &["backup", "-vv"],
        &["list"],
        &["verify"],
        &["details", "20250101_000000"],
    ] {
        let ended: Ended = forced(line).output().expect("it runs").into();
        assert!(!ended.out.contains('\u{1b}'), "{line:?}: {}", ended.out);
        assert!(!ended.err.contains('\u{1b}'), "{line:?}: {}", ended.err);
    }
    let serving = Serving::of(forced(&["serve", "--listen", "127.0.0.1:0", "-v"]));
    serving.json("/api/session").await;
    assert!(!serving.log().contains('\u{1b}'), "{}", serving.log());

    if !on_a_terminal("true").status().is_ok_and(|ended| ended.success()) {
        println!("no terminals here: only pipes were tried");
        return;
    }
    for line in [&["--help"][..], &["restore"]] {
        for (name, value, coloured) in [
            ("ANY", "1", true),
            ("NO_COLOR", "1", false),
            ("NO_COLOR", "", true),
            ("TERM", "dumb", false),
        ] {
            let mut command = program.command(line);
            command.env(name, value);
            let (_, screen) = seen(&command, b"");
            assert_eq!(screen.contains("\u{1b}["), coloured, "{line:?} {name}={value}: {screen:?}");
        }
    }
    let mut command = program.command(&["backup"]);
    command.env("TERM", "dumb");
    let (_, screen) = seen(&command, b"");
    assert!(!screen.contains('\u{1b}'), "no progress bar either: {screen:?}");
    // Each stream for itself: the help is for the file, whatever standard error is.
    let out = tempfile::NamedTempFile::new().expect("a file");
    let inner = program.command(&["--help"]);
    let shell = format!("'{}' --help > '{}'", inner.get_program().display(), out.path().display());
    assert!(on_a_terminal(&shell).status().expect("it runs").success());
    assert!(!fs::read_to_string(out.path()).expect("read").contains('\u{1b}'));
}

#[tokio::test]
async fn an_export_replaces_only_what_is_a_regular_file() {
    let database = database().await;
    let program = Program::on(&database);
    let id = program.backup();
    let folder = crate::support::folder();
    let path = |name: &str| folder.path().join(name);
    let export = |to: &Path| {
        program.run(&["export", &id, "--dataset", "vrfs", "--output", to.to_str().expect("text")])
    };
    let mut wanted = String::new();
    assert_eq!(export(&path("new")).code, 0);
    fs::File::open(path("new")).expect("there").read_to_string(&mut wanted).expect("text");
    let mode = |name: &str| fs::metadata(path(name)).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode("new"), 0o600, "rows are for their owner alone");

    fs::write(path("old"), "old").expect("written");
    fs::set_permissions(path("old"), PermissionsExt::from_mode(0o644)).expect("ours");
    let owner = |name: &str| {
        let meta = fs::metadata(path(name)).expect("there");
        (meta.uid(), meta.gid())
    };
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(path("old"), Some(4711), Some(4712)).expect("root may");
    }
    let before = owner("old");
    assert_eq!(export(&path("old")).code, 0);
    assert_eq!((mode("old"), owner("old")), (0o644, before));
    assert_eq!(fs::read_to_string(path("old")).expect("read"), wanted);

    symlink("old", path("link")).expect("linked");
    fs::write(path("old"), "old").expect("written");
    assert_eq!(export(&path("link")).code, 0);
    assert!(fs::symlink_metadata(path("link")).expect("there").is_symlink());
    assert_eq!(fs::read_to_string(path("old")).expect("read"), wanted);

    symlink("nowhere", path("dangling")).expect("linked");
    let ended = export(&path("dangling"));
    assert!(ended.code == 1 && ended.err.contains("symbolic link"), "{}", ended.err);
    assert!(!path("nowhere").exists());
    assert_eq!(export(folder.path()).code, 1);

    symlink("/dev/null", path("null")).expect("linked");
    assert_eq!(export(&path("null")).code, 0);
    assert!(fs::metadata(path("null")).expect("there").file_type().is_char_device());
    // A node of our own: if this went wrong, it would not be the machine's.
    let (kind, rights) = (nix::sys::stat::SFlag::S_IFCHR, nix::sys::stat::Mode::S_IRWXU);
    let device = nix::sys::stat::makedev(1, 3);
    if nix::sys::stat::mknod(&path("device"), kind, rights, device).is_ok()
        && fs::write(path("device"), "x").is_ok()
    {
        assert_eq!(export(&path("device")).code, 0);
        assert!(fs::metadata(path("device")).expect("there").file_type().is_char_device());
    }
    let ended = export(Path::new("/dev/full"));
    assert!(ended.code == 1 && ended.err.contains("No space left"), "{}", ended.err);

    nix::unistd::mkfifo(&path("fifo"), rights).expect("made");
    let reader = std::thread::spawn({
        let fifo = path("fifo");
        move || fs::read_to_string(fifo).expect("read")
    });
    assert_eq!(export(&path("fifo")).code, 0);
    assert_eq!(reader.join().expect("no panic"), wanted);
    assert!(fs::metadata(path("fifo")).expect("there").file_type().is_fifo());

    let ended = program.command(&["export", &id, "--dataset", "vrfs", "-q", "-o", "/dev/stdout"]);
    let ended: Ended = { ended }.stdout(Stdio::piped()).output().expect("it runs").into();
    assert!(ended.code == 0 && ended.out.starts_with(&wanted), "{}{}", ended.out, ended.err);
    let left = fs::read_dir(folder.path()).expect("a folder");
    let names: Vec<_> = left.map(|entry| entry.expect("an entry").file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().starts_with('.')), "{names:?}");
}

#[tokio::test]
async fn a_result_that_cannot_be_written_is_a_failure() {
    let database = database().await;
    let program = Program::on(&database);
    program.backup();
    for line in [&["list"][..], &["list", "--json"], &["stats"], &["--help"]] {
        let full = fs::File::options().write(true).open("/dev/full").expect("there");
        let mut command = program.command(line);
        let ended: Ended = command.stdout(full).output().expect("it runs").into();
        assert_eq!(ended.code, 1, "{line:?}: {}", ended.err);
    }
}

#[test]
fn errors_with_json_are_one_document() {
    let program = Program::at(None);
    let lines: [&[&str]; 8] = [
        &["list", "--no-such"],
        &["details", "nonsense"],
        &["backup"],
        &["demo"],
        &["restore", "20250101_000000"],
        &["token", "revoke", "nobody"],
        &["serve", "--listen", "0.0.0.0:0"],
        &["export", "20250101_000000", "-o", "/"],
    ];
    for line in lines {
        let ended = program.run(&[line, &["--json"]].concat());
        let problem: serde_json::Value = serde_json::from_str(&ended.out)
            .unwrap_or_else(|error| panic!("{line:?}: {error} in {}", ended.out));
        assert!(problem["code"].is_string() && ended.code != 0, "{line:?}: {problem}");
    }
}
