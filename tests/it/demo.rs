//! `demo`: by itself, and before somebody who sits at a terminal.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::http_client;
use crate::support::program::{Ended, Program};
use crate::support::serving::until;

fn path() -> String {
    std::env::var("PATH").expect("a search path")
}

#[test]
fn it_ends_with_nothing_that_differs() {
    let said =
        Program::at(None).command(&["demo", "--prefixes", "2000"]).env("PATH", path()).output();
    let ended = Ended::from(said.expect("the demo runs"));
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.contains("Nothing differs from 20"), "{}", ended.out);
    assert!(ended.out.contains("No damage found."), "{}", ended.out);
}

/// A folder with a browser in it that only notes which page it was to open.
fn browser() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().display();
    let script = format!("#!/bin/sh\nprintf %s \"$1\" > {at}/asked && mv {at}/asked {at}/page\n");
    let program = folder.path().join("xdg-open");
    fs::write(&program, script).expect("written");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("mine");
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_it_opens_the_page_and_ends_with_ctrl_c() {
    let browser = browser();
    let said = browser.path().join("said");
    let line = format!("exec {} demo --prefixes 1000", env!("CARGO_BIN_EXE_ipam-rewind"));
    // Debian's `script` runs it on a terminal of its own, and types what it is sent.
    let mut demo = Command::new("script")
        .args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"])
        .env_clear()
        .env("PATH", format!("{}:{}", browser.path().display(), path()))
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(File::create(&said).expect("made"))
        .spawn()
        .expect("script runs");
    let words = || fs::read_to_string(&said).unwrap_or_default();

    let opened = browser.path().join("page");
    until("a page to open", async || {
        let ended = demo.try_wait().expect("a child");
        assert!(ended.is_none(), "it ended: {}", words());
        opened.exists()
    })
    .await;
    let page = fs::read_to_string(&opened).expect("an address");
    let text = async |path: &str| {
        let answer = http_client().get(format!("{page}{path}")).send().await.expect("it answers");
        answer.text().await.expect("a body")
    };
    assert!(text("").await.contains("<title>"), "the page");
    let backups: Value = serde_json::from_str(&text("/api/backups").await).expect("a document");
    assert_eq!(backups["count"], 2, "the backup, and the one from before the restore");

    let keyboard = demo.stdin.as_mut().expect("it is piped");
    keyboard.write_all(b"\x03").expect("typed");
    keyboard.flush().expect("typed");
    until("the end of the demo", async || demo.try_wait().expect("a child").is_some()).await;
    assert!(words().contains("No damage found."), "{}", words());
    let ended = demo.wait().expect("a child");
    assert_eq!(ended.code(), Some(0), "{}", words());
    assert!(http_client().get(&page).send().await.is_err(), "nothing serves any more");
}
