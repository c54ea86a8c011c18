//! Killed at any moment.

use std::time::{Duration, Instant};

use ipam_rewind::embedded::sample::{self, PlanSize};
use nix::sys::signal::Signal;

use super::relay::{Fault, Relay};
use super::running::{
    Changed, Running, change, files, hold_a_row, let_go, recovers, until, until_it_waits_for_a_row,
    until_left_alone, whole,
};
use crate::support::program::Program;
use crate::support::{TestDatabase, database, sample_database};

/// Kills that are spread over the time that a run takes.
const KILLS: u32 = 12;

async fn large_database() -> TestDatabase {
    let database = database().await;
    let plan = PlanSize { prefixes: 15_000 };
    sample::load(&mut database.connect().await, plan).await.expect("loaded");
    database
}

/// The moments to kill a run at that takes so long.
fn moments(run: Duration) -> impl Iterator<Item = Duration> {
    (1..=KILLS).map(move |n| run * n / (KILLS + 1))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_killed_at_any_moment_leaves_whole_backups_and_nothing_to_tidy_by_hand() {
    let (small, large) = (database().await, large_database().await);
    let program = Program::on(&large);
    let start = Instant::now();
    program.backup();
    let run = start.elapsed();
    for moment in moments(run) {
        let program = Program::on(&large);
        program.ok(&["backup", "--database-url", &small.url]);
        let mut backup = Running::start(&program, &["backup"]);
        tokio::time::sleep(moment).await;
        backup.signal(Signal::SIGKILL);
        backup.ended().await;
        assert!((1..=2).contains(&whole(&program).len()));
        until_left_alone(&large).await;
        recovers(&program, &large);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_killed_after_writing_its_packs_leaves_them_to_the_next_cleanup() {
    let (small, large) = (database().await, sample_database().await);
    let packs = |program: &Program| {
        let pack = |(name, _): &(String, u64)| name.starts_with("packs/") && !name.contains('#');
        files(program.store()).into_iter().filter(pack).count()
    };
    let mut orphaned = 0;
    for _ in 0..4 {
        let program = Program::on(&large);
        program.ok(&["backup", "--database-url", &small.url]);
        let before = packs(&program);
        let mut backup = Running::start(&program, &["backup"]);
        while packs(&program) == before {
            std::thread::yield_now();
        }
        backup.signal(Signal::SIGKILL);
        backup.ended().await;
        orphaned += u32::from(whole(&program).len() == 1);
        recovers(&program, &large);
    }
    assert!(orphaned > 0, "not one kill came before the manifest");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_killed_while_it_reads_leaves_no_session_and_no_backup() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let first = program.backup();
    database.sql("UPDATE prefix SET tags = '{}'").await;
    let relay = Relay::to(&database, Fault::HoldUpAfter(100_000)).await;
    let arguments = ["backup", "--database-url", &relay.url];
    let mut backup = Running::start(&program, &arguments);
    until("a read that is held up", async || relay.struck() > 0).await;
    backup.signal(Signal::SIGKILL);
    backup.ended().await;
    until_left_alone(&database).await;
    assert_eq!(whole(&program), [first]);
    recovers(&program, &database);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_killed_at_any_moment_has_done_all_or_nothing() {
    let plan = Changed::of(large_database().await).await;
    let broken = plan.program.backup();
    let start = Instant::now();
    plan.program.ok(&["restore", &plan.target, "--yes"]);
    let run = start.elapsed();
    plan.program.ok(&["restore", &broken, "--yes"]);
    let mut ended = [0, 0];
    for moment in moments(run * 13 / 12) {
        let mut restore = Running::start(&plan.program, &["restore", &plan.target, "--yes"]);
        tokio::time::sleep(moment).await;
        restore.signal(Signal::SIGKILL);
        restore.ended().await;
        until_left_alone(&plan.database).await;
        let found = plan.database.dump().await;
        assert!(found == plan.now || found == plan.wanted, "killed after {moment:?}");
        ended[usize::from(found == plan.wanted)] += 1;
        if found == plan.wanted {
            plan.program.ok(&["restore", &broken, "--yes"]);
        }
    }
    assert!(ended[0] > 0, "not one kill came before the commit");
    whole(&plan.program);
    plan.restore().await;
    recovers(&plan.program, &plan.database);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_killed_within_its_transaction_leaves_the_database_and_a_safety_backup() {
    let plan = Changed::sample().await;
    let (mut restore, held) = plan.restore_in_the_middle().await;
    restore.signal(Signal::SIGKILL);
    restore.ended().await;
    // The server sees by itself that nobody waits any more.
    until_left_alone(&plan.database).await;
    let_go(held).await;
    plan.is_as_it_was().await;
    let ids = whole(&plan.program);
    assert_eq!(ids.len(), 2);
    let safety = plan.program.json(&["details", &ids[0]]);
    assert_eq!(safety["backup_info"]["backup_type"], "pre-restore");

    plan.restore().await;
    plan.program.ok(&["restore", &ids[0], "--yes"]);
    // The undo brings back the record, too, that the restore was about to remove.
    plan.database.sql("DELETE FROM idempotency_record WHERE request_id = 'late'").await;
    plan.is_as_it_was().await;
    recovers(&plan.program, &plan.database);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_run_removes_the_temporary_files_of_one_that_was_killed() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let target = program.backup();
    change(&database).await;
    let temporary = tempfile::tempdir().expect("a folder");
    let in_it = |arguments: &[&str]| {
        let mut command = program.command(arguments);
        command.env("TMPDIR", temporary.path());
        Running::of(command)
    };
    let left = || std::fs::read_dir(temporary.path()).expect("there").count();
    let held = hold_a_row(&database).await;
    let mut restore = in_it(&["restore", &target, "--yes", "--no-safety-backup"]);
    until_it_waits_for_a_row(&database).await;
    // That of a run that goes on is left alone.
    let preview = in_it(&["restore", &target, "--dry-run"]).ended().await;
    assert_eq!((preview.code, left()), (0, 1), "{}", preview.err);
    restore.signal(Signal::SIGKILL);
    restore.ended().await;
    let_go(held).await;
    let preview = in_it(&["restore", &target, "--dry-run"]).ended().await;
    assert_eq!((preview.code, left()), (0, 0), "{}", preview.err);
}
