//! The database goes away: one session, the whole server, or the line at the worst of moments.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ipam_rewind::embedded::{Options, PrivatePostgres, sample};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::relay::{Fault, Relay};
use super::running::{
    Changed, Running, held_in_the_middle, let_go, recovers, until, until_left_alone, whole,
};
use crate::support::program::{Ended, Program};
use crate::support::{SAMPLE, TestDatabase, dump, postgres, sample_database};

/// Ends all sessions of our program, as an administrator would.
async fn terminate(database: &TestDatabase) {
    let url = postgres().url("postgres", "postgres");
    let mut administrator = PgConnection::connect(&url).await.expect("connected");
    let name = database.value("SELECT current_database()").await;
    let terminate = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = '{name}' AND application_name = 'ipam-rewind'"
    );
    sqlx::raw_sql(AssertSqlSafe(terminate)).execute(&mut administrator).await.expect("terminated");
}

fn says_out_of_reach(ended: &Ended) {
    assert_eq!(ended.code, 5, "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("out of reach"), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_session_is_terminated_fails_and_leaves_no_backup() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let first = program.backup();
    database.sql("UPDATE prefix SET tags = '{}'").await;
    let relay = Relay::to(&database, Fault::HoldUpAfter(100_000)).await;
    let arguments = ["backup", "--database-url", &relay.url];
    let backup = Running::start(&program, &arguments);
    until("a read that is held up", async || relay.struck() > 0).await;
    drop(relay);
    terminate(&database).await;
    says_out_of_reach(&backup.ended().await);
    assert_eq!(whole(&program), [first]);
    recovers(&program, &database);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_whose_session_is_terminated_changes_nothing() {
    let plan = Changed::sample().await;
    let (restore, held) = plan.restore_in_the_middle().await;
    terminate(&plan.database).await;
    says_out_of_reach(&restore.ended().await);
    let_go(held).await;
    plan.is_as_it_was().await;
    plan.restore().await;
    recovers(&plan.program, &plan.database);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_cut_before_the_commit_leaves_the_database_as_it_was() {
    let plan = Changed::sample().await;
    let relay = Relay::to(&plan.database, Fault::CutBeforeCommit).await;
    let arguments = ["restore", &plan.target, "--yes", "--database-url", &relay.url];
    let ended = Running::start(&plan.program, &arguments).ended().await;
    assert_eq!(relay.struck(), 1);
    says_out_of_reach(&ended);
    until_left_alone(&plan.database).await;
    plan.is_as_it_was().await;
    plan.restore().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_cut_before_the_answer_to_the_commit_is_still_a_success() {
    let plan = Changed::sample().await;
    let relay = Relay::to(&plan.database, Fault::CutAfterCommit).await;
    let arguments = ["restore", &plan.target, "--yes", "--database-url", &relay.url];
    let ended = Running::start(&plan.program, &arguments).ended().await;
    assert_eq!(relay.struck(), 1);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    plan.is_restored().await;
    let details = plan.program.json(&["details", &plan.target]);
    assert_eq!(details["backup_info"]["restore_tested"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_which_nothing_can_be_learnt_is_told_as_such() {
    let plan = Changed::sample().await;
    let relay = Relay::to(&plan.database, Fault::CutAfterCommit).await;
    let arguments = ["restore", &plan.target, "--yes", "--database-url", &relay.url];
    let (restore, held) = held_in_the_middle(&plan.database, &plan.program, &arguments).await;
    relay.ignore_whoever_comes();
    let_go(held).await;
    let ended = restore.ended().await;
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("not known whether"), "{}", ended.err);
    plan.is_restored().await;
    whole(&plan.program);
}

/// A server that may be stopped.
async fn server(data: &std::path::Path) -> PrivatePostgres {
    let options = Options { data_dir: Some(data.to_owned()), durable: false, ..Options::default() };
    PrivatePostgres::start(options).await.expect("started")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_within_a_restore_comes_back_with_the_database_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("mine");
    let data = folder.path().join("data");
    let first = server(&data).await;
    let url = first.create_plan_database("plan").await.expect("created");
    let mut owner = PgConnection::connect(&url).await.expect("connected");
    sample::load(&mut owner, SAMPLE).await.expect("loaded");
    let program = Program::at(Some(url.clone()));
    let target = program.backup();
    let wanted = dump(&mut owner).await;
    for statements in [
        "UPDATE vrf SET description = 'oops'",
        "INSERT INTO idempotency_record (request_id, created_at) VALUES ('late', now())",
        "BEGIN; SELECT FROM idempotency_record FOR UPDATE",
    ] {
        let done = sqlx::raw_sql(statements).execute(&mut owner).await;
        done.expect("nobody is in the way");
    }

    let restore = Running::start(&program, &["restore", &target, "--yes"]);
    let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE application_name = 'ipam-rewind' AND wait_event = 'transactionid')";
    // Within a transaction, the server would always give the first answer.
    let mut watcher = PgConnection::connect(&url).await.expect("connected");
    until("a restore that waits", async || {
        let waits = sqlx::query_scalar(waits).fetch_one(&mut watcher).await;
        waits.expect("answered")
    })
    .await;
    first.stop().await.expect("stopped");
    says_out_of_reach(&restore.ended().await);
    says_out_of_reach(&program.run(&["backup"]));
    assert_eq!(whole(&program).len(), 2);

    let second = server(&data).await;
    let url = second.create_plan_database("plan").await.expect("there");
    let mut owner = PgConnection::connect(&url).await.expect("connected");
    let oops = "SELECT count(*) FROM vrf WHERE description = 'oops'";
    let count: i64 = sqlx::query_scalar(oops).fetch_one(&mut owner).await.expect("answered");
    assert_eq!(count, 10);
    program.ok(&["restore", &target, "--yes", "--database-url", &url]);
    assert!(dump(&mut owner).await == wanted);
}
