//! Whoever asks the database for something meanwhile is served first.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::faults::running::{Running, hold, until_it_waits_for_a_table};
use crate::support::program::{Program, unshare, wrap};
use crate::support::sample_database;

/// The scheduler's group of this process, which every system has that has groups.
const GROUP: &str = "/proc/self/autogroup";

/// What a session gets from its beginning.
const PLAIN: &str = "0";

/// A nice value of a group, where there are groups.
fn where_there_are_groups(nice: &str) -> Option<String> {
    Path::new(GROUP).exists().then(|| nice.to_owned())
}

/// The nice value of the group that a process is in. None on a system without groups, and none for
/// what was never in a session of its own, as what the first process of a system begins: its file is empty.
fn nice_of_group(pid: u32) -> Option<String> {
    let group = fs::read_to_string(format!("/proc/{pid}/autogroup")).ok()?;
    Some(group.rsplit_once("nice ")?.1.trim().to_owned())
}

/// A command that runs another in a session of its own.
fn in_a_session(words: &[&str]) -> Command {
    let mut command = Command::new("setsid");
    command.args(words);
    command
}

/// The group of a backup that is under way and was begun by this program, which is in that group, too.
async fn nice_of_a_backup(mut by: Command) -> Option<String> {
    let database = sample_database().await;
    let program = Program::on(&database);
    wrap(&mut by, &program.command(&["backup"]));
    by.stdin(Stdio::null());
    let held = hold(&database, "LOCK TABLE prefix IN ACCESS EXCLUSIVE MODE").await;
    let mut running = Running::of(by);
    until_it_waits_for_a_table(&database).await;
    let nice = nice_of_group(running.pid());
    drop(held);
    let ended = running.ended().await;
    assert_eq!(ended.code, 0, "{}", ended.err);
    nice
}

#[tokio::test]
async fn a_backup_alone_in_its_session_gives_way_with_it() {
    let nice = nice_of_a_backup(in_a_session(&[])).await;
    assert_eq!(nice, where_there_are_groups("3"));
}

#[tokio::test]
async fn the_session_of_others_stays_as_it_is() {
    let shell = in_a_session(&["sh", "-c", "\"$@\"; exit", "sh"]);
    assert_eq!(nice_of_a_backup(shell).await, where_there_are_groups(PLAIN));
}

/// As in a container that somebody enters: the leader of the session is outside, and its id here is 0.
#[tokio::test]
async fn a_session_whose_leader_is_out_of_sight_stays_as_it_is() {
    let container = || {
        let mut command = in_a_session(&[]);
        wrap(&mut command, unshare("--pid").args(["--fork", "--kill-child"]));
        command
    };
    if !container().arg("true").status().is_ok_and(|ended| ended.success()) {
        println!("no namespace of one's own here: nothing was tried");
        return;
    }
    assert_eq!(nice_of_a_backup(container()).await, where_there_are_groups(PLAIN));
}
