//! A database that says nothing any more: the work is given up, with a reason, and nothing waits for ever.

use std::time::Duration;

use ipam_rewind::engine::{BackupRequest, Kind};
use ipam_rewind::service::automation::Plan;
use ipam_rewind::service::jobs::{JobState, Order, Trigger, Work};

use super::relay::{Fault, Relay};
use super::running::{Changed, Running, recovers, whole};
use crate::support::clockwork::Clockwork;
use crate::support::program::Program;
use crate::support::{database, sample_database};

const IMPATIENT: [&str; 4] = ["--stall-timeout", "1", "--lock-timeout", "1"];

#[tokio::test(flavor = "multi_thread")]
async fn backup_from_a_silent_database_is_given_up_with_the_reason() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let relay = Relay::to(&database, Fault::HoldUpAfter(100_000)).await;
    let arguments = [&["backup", "--database-url", &relay.url][..], &IMPATIENT].concat();
    let ended = Running::start(&program, &arguments).ended().await;
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    let why = "no progress for 2 s while reading the database";
    assert!(ended.err.contains(why) && ended.err.contains("--stall-timeout"), "{}", ended.err);
    assert!(whole(&program).is_empty());
    recovers(&program, &database);
}

#[tokio::test(flavor = "multi_thread")]
async fn statement_that_takes_longer_than_the_limit_is_waited_for() {
    let plan = Changed::sample().await;
    plan.database
        .sql(
            "UPDATE vrf SET description = 'oops';
             CREATE FUNCTION slow(text) RETURNS boolean LANGUAGE sql
                 AS 'SELECT pg_sleep(0.9) IS NOT NULL';
             ALTER TABLE vrf ADD CHECK (slow(vrf_id)) NOT VALID",
        )
        .await;
    let arguments =
        [&["restore", &plan.target, "--yes"][..], &["--stall-timeout", "5", "--lock-timeout", "1"]]
            .concat();
    let ended = Running::start(&plan.program, &arguments).ended().await;
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    let left = plan.database.value("SELECT count(*)::text FROM vrf WHERE description = 'oops'");
    assert_eq!(left.await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn database_that_accepts_and_says_nothing_is_out_of_reach() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let relay = Relay::to(&database, Fault::HoldUpAfter(usize::MAX)).await;
    relay.ignore_whoever_comes();
    let url = format!("{}&connect_timeout=2", relay.url);
    let ended = Running::start(&program, &["backup", "--database-url", &url]).ended().await;
    assert_eq!(ended.code, 5, "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("in 2 s"), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn second_session_that_never_comes_is_done_without() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let relay = Relay::to(&database, Fault::HoldUpAfter(usize::MAX)).await;
    relay.answer_only(1);
    program.ok(&["backup", "--database-url", &relay.url]);
}

#[tokio::test(flavor = "multi_thread")]
async fn commit_whose_answer_never_comes_is_looked_up() {
    let plan = Changed::sample().await;
    let relay = Relay::to(&plan.database, Fault::HoldUpCommit).await;
    let arguments = ["restore", &plan.target, "--yes", "--database-url", &relay.url];
    let ended = Running::start(&plan.program, &arguments).ended().await;
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    plan.is_restored().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn job_without_progress_fails_and_lets_the_next_one_begin() {
    let clockwork = Clockwork::new(database().await);
    clockwork.database.sql("INSERT INTO vrf (vrf_id) SELECT 'vrf-' || i || repeat('x', 200) FROM generate_series(1, 2000) i").await;
    let relay = Relay::to(&clockwork.database, Fault::HoldUpAfter(100_000)).await;
    let plan = Plan { stall_timeout: Duration::from_secs(1), ..Plan::default() };
    let service = clockwork.service_over(clockwork.engine_at(&relay.url).await, plan).await;
    let order = || Order {
        work: Work::Backup(BackupRequest::default()),
        created_by: "somebody".into(),
        caller: None,
        trigger: Trigger::Request,
        request_id: None,
    };
    let jobs = &service.jobs;
    let both =
        [jobs.submit(order()), jobs.submit(order())].map(|job| job.expect("taken on").job_id);
    for job in both {
        let job = jobs.ended(job).await.expect("known");
        assert_eq!(job.state, JobState::Failed);
        let failure = job.failure.expect("a reason");
        assert_eq!(failure.kind, Kind::Stalled, "{failure:?}");
        assert!(failure.detail.contains("while reading the database"), "{failure:?}");
    }
    service.shut_down(Duration::from_mins(1)).await;
}
