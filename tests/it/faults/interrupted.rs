//! Ctrl-C, and the signal that asks a service to end.

use nix::sys::signal::Signal;

use super::relay::{Fault, Relay};
use super::running::{
    Changed, Running, hold, let_go, recovers, sessions, until, until_it_waits_for_a_table, whole,
};
use crate::support::program::Program;
use crate::support::{TestDatabase, sample_database};

const BOTH: [Signal; 2] = [Signal::SIGINT, Signal::SIGTERM];

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_interrupted_while_it_reads_ends_at_once_and_leaves_nothing() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let first = program.backup();
    database.sql("UPDATE prefix SET tags = '{}'").await;
    for signal in BOTH {
        let relay = Relay::to(&database, Fault::HoldUpAfter(100_000)).await;
        let arguments = ["backup", "--database-url", &relay.url];
        let mut backup = Running::start(&program, &arguments);
        until("a read that is held up", async || relay.struck() > 0).await;
        backup.signal(signal);
        let ended = backup.ended().await;
        assert_eq!(ended.code, 130, "{signal}: {}", ended.err);
        assert_eq!(sessions(&database).await, "0", "{signal}");
        assert_eq!(whole(&program), [first.as_str()]);
    }
    recovers(&program, &database);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_interrupted_while_it_waits_for_a_table_ends_at_once() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let held = hold(&database, "LOCK TABLE vpc").await;
    for signal in BOTH {
        let mut backup = Running::start(&program, &["backup"]);
        until_it_waits_for_a_table(&database).await;
        backup.signal(signal);
        let ended = backup.ended().await;
        assert_eq!(ended.code, 130, "{signal}: {}", ended.err);
        assert_eq!(sessions(&database).await, "0", "{signal}");
    }
    let_go(held).await;
    assert_eq!(program.ids().len(), 0);
    recovers(&program, &database);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_interrupted_within_its_transaction_changes_nothing() {
    let plan = Changed::sample().await;
    for signal in BOTH {
        let (mut restore, held) = plan.restore_in_the_middle().await;
        restore.signal(signal);
        let ended = restore.ended().await;
        assert_eq!(ended.code, 130, "{signal}: {}", ended.err);
        assert!(ended.err.contains("interrupted"), "{}", ended.err);
        assert_eq!(sessions(&plan.database).await, "0", "{signal}");
        let_go(held).await;
        assert!(plan.database.dump().await == plan.now, "{signal}");
        may_be_written(&plan.database).await;
    }
    whole(&plan.program);
    plan.restore().await;
    recovers(&plan.program, &plan.database);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_the_program_even_if_the_server_does_not_answer_any_more() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let relay = Relay::to(&database, Fault::HoldUpAfter(100_000)).await;
    let arguments = ["backup", "--database-url", &relay.url];
    let mut backup = Running::start(&program, &arguments);
    until("a read that is held up", async || relay.struck() > 0).await;
    relay.ignore_whoever_comes();
    backup.signal(Signal::SIGINT);
    let ended = backup.ended().await;
    assert_eq!(ended.code, 130, "{}", ended.err);
    assert_eq!(program.ids().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_under_way_is_not_interrupted() {
    let plan = Changed::sample().await;
    let relay = Relay::to(&plan.database, Fault::HoldUpCommit).await;
    let arguments = ["restore", &plan.target, "--yes", "--database-url", &relay.url];
    let mut restore = Running::start(&plan.program, &arguments);
    until("an answer that is held up", async || relay.struck() > 0).await;
    for signal in BOTH {
        restore.signal(signal);
    }
    drop(relay);
    let ended = restore.ended().await;
    assert_eq!(ended.code, 0, "{}", ended.err);
    plan.is_restored().await;
    let details = plan.program.json(&["details", &plan.target]);
    assert_eq!(details["backup_info"]["restore_tested"], true);
}

/// No lock of a restore is left.
async fn may_be_written(database: &TestDatabase) {
    database.sql("BEGIN; SET lock_timeout = '1s'; LOCK TABLE vrf, vpc, prefix; ROLLBACK").await;
}

/// Whether a process handles Ctrl-C itself, as Linux tells.
#[cfg(target_os = "linux")]
fn handles_interruption(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    caught.is_some_and(|mask| mask & 1 << (Signal::SIGINT as u64 - 1) != 0)
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_waits_for_its_input_can_be_interrupted() {
    let program = Program::at(None);
    let mut command = program.command(&["import", "-"]);
    command.stdin(std::process::Stdio::piped());
    let mut import = Running::of(command);
    let pid = import.pid();
    until("a program that listens", async || handles_interruption(pid)).await;
    import.signal(Signal::SIGINT);
    let ended = import.ended().await;
    assert_eq!(ended.code, 130, "{}", ended.err);
    assert_eq!(whole(&program).len(), 0);
}
