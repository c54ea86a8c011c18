//! Secrets stay where they belong: not in the process list, the log, or an answer.

use std::fs;

use crate::support::database;
use crate::support::program::Program;
use crate::support::serving::{Serving, until};

const PASSWORD: &str = "hunter2-of-the-test";

#[tokio::test]
async fn the_databases_address_comes_from_a_file_and_shows_up_nowhere() {
    let program = Program::at(None);
    let file = tempfile::NamedTempFile::new().expect("a file");
    // Nobody listens there, so the service has reason to complain.
    let url = format!("postgres://prefix_user:{PASSWORD}@127.0.0.1:1/plan\n");
    fs::write(file.path(), url).expect("written");
    let path = file.path().to_str().expect("plain text");
    let hook = format!("http://127.0.0.1:1/hook-{PASSWORD}");
    let mut command = program.command(&["serve", "--listen", "127.0.0.1:0", "-vv"]);
    command.args(["--database-url-file", path]);
    command.env("WEBHOOK_URL", &hook).env("WEBHOOK_SECRET", PASSWORD);
    command.env("NOTIFY_URL", format!("slack+{hook}"));
    let serving = Serving::of(command);

    let mut said = String::new();
    for (method, call) in [
        ("POST", "/api/backup"),
        ("GET", "/api/health"),
        ("GET", "/api/ready"),
        ("GET", "/api/jobs"),
        ("GET", "/api/session"),
        ("GET", "/api/schedule"),
        ("GET", "/api/audit"),
        ("GET", "/metrics"),
    ] {
        let answer = serving.request(method, call).send().await.expect("it answers");
        said += &answer.text().await.expect("a body");
    }
    assert!(said.contains("database_unreachable"), "{said}");
    until("a try of each target", async || serving.log().contains("Target(slack")).await;
    let line = fs::read(format!("/proc/{}/cmdline", serving.pid())).expect("it runs");
    said += &String::from_utf8_lossy(&line);
    said += &serving.log();
    assert!(!said.contains(PASSWORD), "{said}");
}

#[tokio::test]
async fn answers_name_no_path_of_the_host() {
    let database = database().await;
    let program = Program::on(&database);
    let serving = Serving::start(&program, &[]);
    let mut said = String::new();
    for (method, call) in [
        ("POST", "/api/backup"),
        ("GET", "/api/backups"),
        ("GET", "/api/statistics"),
        ("GET", "/api/health"),
        ("GET", "/api/audit"),
    ] {
        let answer = serving.request(method, call).send().await.expect("it answers");
        said += &answer.text().await.expect("a body");
    }
    let store = program.store().to_str().expect("plain text");
    assert!(!said.contains(store), "{said}");
}

#[test]
fn a_file_that_is_not_there_is_said_and_the_help_warns() {
    let program = Program::at(None);
    let ended = program.run(&["backup", "--database-url-file", "/no/such/file"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("/no/such/file"), "{}", ended.err);
    assert!(program.ok(&["serve", "--help"]).contains("process list"));
}
