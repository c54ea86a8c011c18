//! Whoever asks the database for something meanwhile is served first.
#![cfg(target_os = "linux")]

use std::fs;
use std::process::{Command, Stdio};

use crate::faults::running::{Running, hold, until_it_waits_for_a_table};
use crate::support::program::{Program, unshare, wrap};
use crate::support::{TestDatabase, sample_database};

/// The nice value of the scheduler's group that a process is in; none on a system without groups.
fn nice_of_group(pid: &str) -> Option<String> {
    let group = fs::read_to_string(format!("/proc/{pid}/autogroup")).ok()?;
    Some(group.rsplit_once("nice ").expect("as in sched(7)").1.trim().to_owned())
}

/// The group of a backup that is under way and was begun by this program.
async fn nice_of_a_backup(database: &TestDatabase, mut by: Command) -> Option<String> {
    let program = Program::on(database);
    wrap(&mut by, &program.command(&["backup"]));
    by.stdin(Stdio::null());
    let _held = hold(database, "LOCK TABLE prefix IN ACCESS EXCLUSIVE MODE").await;
    let mut running = Running::of(by);
    until_it_waits_for_a_table(database).await;
    nice_of_group(&running.pid().to_string())
}

#[tokio::test]
async fn a_backup_alone_in_its_session_gives_way_with_it() {
    let database = sample_database().await;
    let nice = nice_of_a_backup(&database, Command::new("setsid")).await;
    assert_eq!(nice, nice_of_group("self").map(|_| "3".to_owned()));
}

#[tokio::test]
async fn the_session_of_others_stays_as_it_is() {
    let database = sample_database().await;
    let ours = nice_of_group("self");
    assert_eq!(nice_of_a_backup(&database, Command::new("env")).await, ours);
    assert_eq!(nice_of_group("self"), ours);
}

/// As in a container that somebody enters: the leader of the session is outside, and its id here is 0.
#[tokio::test]
async fn a_session_whose_leader_is_out_of_sight_stays_as_it_is() {
    let container = || {
        let mut command = unshare("--pid");
        command.args(["--fork", "--kill-child"]);
        command
    };
    if !container().arg("true").status().is_ok_and(|ended| ended.success()) {
        println!("no namespace of one's own here: nothing was tried");
        return;
    }
    let database = sample_database().await;
    assert_eq!(nice_of_a_backup(&database, container()).await, nice_of_group("self"));
}
