//! Where the service is put: addresses, folders for temporary files, the first token, process 1.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::database;
use crate::support::program::{Ended, Program, unshare, wrap};
use crate::support::serving::{Serving, ok, until};

#[tokio::test]
async fn health_finds_the_address_that_the_service_listens_on() {
    let database = database().await;
    let program = Program::on(&database);
    let unknown = program.run(&["health"]);
    assert!(unknown.err.contains("http://127.0.0.1:8000/"), "{}", unknown.err);
    for listen in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"] {
        let options = ["serve", "--listen", listen, "--allow-anonymous-on-any-address"];
        let serving = Serving::of(program.command(&options));
        let health = program.run(&["health"]);
        assert_eq!(health.code, 0, "{listen}: {}{}", health.out, health.err);
        assert!(health.out.contains("ok  database"), "{}", health.out);
        let (family, port) = (serving.address.is_ipv6(), serving.address.port());
        assert_eq!(serving.stop().await, 0);
        let gone = program.run(&["health"]);
        let place = if family {
            format!("http://[::1]:{port}/")
        } else {
            format!("http://127.0.0.1:{port}/")
        };
        assert!(gone.code == 1 && gone.err.contains(&place), "{listen}: {}", gone.err);
    }
}

#[tokio::test]
async fn a_service_is_reached_by_ipv6() {
    let program = Program::at(None);
    let serving = Serving::of(program.command(&["serve", "--listen", "[::1]:0"]));
    assert!(serving.address.is_ipv6());
    let page = format!("http://{}", serving.address);
    ok(serving.post("/api/cleanup").header("origin", page)).await;
}

#[tokio::test]
async fn without_a_place_for_temporary_files_the_service_does_not_start_and_says_what_to_do() {
    let database = database().await;
    let program = Program::on(&database);
    // Nobody may make a file there, as on a root file system that is only to be read.
    let command = |words: &[&str]| {
        let mut command = program.command(words);
        command.env("TMPDIR", "/proc");
        command
    };
    let refused =
        Ended::from(command(&["serve", "--listen", "127.0.0.1:0"]).output().expect("it runs"));
    assert_eq!(refused.code, 1, "{}", refused.err);
    for words in ["temporary files in /proc", "--scratch", "TMPDIR"] {
        assert!(refused.err.contains(words), "{words}: {}", refused.err);
    }
    let id = program.backup();
    let refused = Ended::from(command(&["diff", &id]).output().expect("it runs"));
    assert!(refused.code == 1 && refused.err.contains("/proc"), "{}", refused.err);

    let scratch = tempfile::tempdir().expect("a folder");
    let place = scratch.path().to_str().expect("text");
    let compared =
        Ended::from(command(&["diff", &id, "--scratch", place]).output().expect("it runs"));
    assert_eq!(compared.code, 0, "{}", compared.err);
    let serving = Serving::of(command(&["serve", "--listen", "127.0.0.1:0", "--scratch", place]));
    let health = serving.json("/api/health").await;
    assert_eq!(
        (&health["status"], &health["checks"]["scratch"]["ok"]),
        (&"ok".into(), &true.into())
    );
    fs::remove_dir(scratch.path()).expect("nothing is left in it");
    let health = serving.json("/api/health").await;
    assert_eq!(health["checks"]["scratch"]["ok"], false, "{health}");
    assert_eq!(health["status"], "degraded");
    until("the reason in the log", async || serving.log().contains("--scratch")).await;
}

#[test]
fn the_first_token_replaces_nothing_and_none_is_made_for_a_service_that_does_not_come_up() {
    let program = Program::at(None);
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let serve = |listen: &str, file: &str| {
        program.run(&["serve", "--listen", listen, "--first-token", file])
    };
    std::fs::write(at("notes"), "keep me").expect("written");
    std::os::unix::fs::symlink(at("notes"), at("link")).expect("linked");
    nix::unistd::mkfifo(folder.path().join("fifo").as_path(), nix::sys::stat::Mode::S_IRWXU)
        .expect("made");
    for name in ["notes", "link", "fifo", "."] {
        let refused = serve("0.0.0.0:0", &at(name));
        assert_eq!(refused.code, 2, "{name}: {}", refused.err);
        assert!(refused.err.contains("there is something else"), "{name}: {}", refused.err);
    }
    assert_eq!(std::fs::read_to_string(at("notes")).expect("there"), "keep me");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let refused = serve(&address, &at("token"));
    assert!(refused.err.contains("cannot listen on"), "{}", refused.err);
    assert!(!std::path::Path::new(&at("token")).exists(), "no token for nobody");
    // What a start left that was cut short is replaced.
    std::fs::write(at("token"), "ipr_old\n").expect("written");
    let command = ["serve", "--listen", "0.0.0.0:0", "--first-token", &at("token")];
    let serving = Serving::of(program.command(&command));
    assert_ne!(std::fs::read_to_string(at("token")).expect("there"), "ipr_old\n");
    drop(serving);
}

#[tokio::test]
async fn the_first_token_is_in_a_file_for_its_owner_and_nowhere_else() {
    let program = Program::at(None);
    let file = program.store().join("new folder/first-token");
    let path = file.to_str().expect("text");
    let options = ["serve", "--listen", "0.0.0.0:0", "--first-token", path];
    // Where it cannot be told there is none.
    let mut nowhere = options;
    nowhere[4] = "/proc/first-token";
    let refused = program.run(&nowhere);
    assert!(refused.code == 1 && refused.err.contains("/proc/first-token"), "{}", refused.err);

    let serving = Serving::of(program.command(&options));
    let token = fs::read_to_string(&file).expect("written");
    let mode = fs::metadata(&file).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert!(!serving.log().contains("ipr_") && serving.log().contains(path), "{}", serving.log());
    let session = ok(serving.get("/api/session").bearer_auth(token.trim())).await;
    assert_eq!((&session["name"], &session["role"]), (&"first".into(), &"admin".into()));
    assert_eq!(serving.get("/api/session").send().await.expect("it answers").status(), 401);
    assert_eq!(serving.stop().await, 0);

    // It is told once, also after it was revoked.
    fs::remove_file(&file).expect("known by now");
    program.ok(&["token", "revoke", "first"]);
    let again = Serving::of(program.command(&options));
    assert!(!file.exists());
    assert_eq!(again.stop().await, 0);
}

#[tokio::test]
async fn process_1_of_a_container_ends_in_order_when_it_is_told_to() {
    let program = Program::at(None);
    let mut container = unshare("--pid");
    container.env_clear().args(["--fork", "--kill-child"]);
    let mut trial = unshare("--pid");
    if !trial.args(["--fork", "true"]).status().is_ok_and(|ended| ended.success()) {
        println!("no namespace of one's own here: nothing was tried");
        return;
    }
    wrap(&mut container, &program.command(&["serve", "--listen", "127.0.0.1:0"]));
    let mut child = container.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut log = std::io::BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("Serving") {
        line.clear();
        assert_ne!(std::io::BufRead::read_line(&mut log, &mut line).expect("text"), 0, "it ended");
    }
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let inside = fs::read_to_string(children).expect("its child").trim().parse().expect("a number");
    let ids = fs::read_to_string(format!("/proc/{inside}/status")).expect("it runs");
    let ids = ids.lines().find(|line| line.starts_with("NSpid:")).expect("told");
    assert!(ids.ends_with("\t1"), "{ids}");
    kill(Pid::from_raw(inside), Signal::SIGTERM).expect("it runs");
    until("the end", async || child.try_wait().expect("a child").is_some()).await;
    assert_eq!(child.wait().expect("a child").code(), Some(0));
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut log, &mut rest).expect("text");
    assert!(rest.contains("shutting down"), "{rest}");
}
