//! However large a backup is, its export and its import hold a few blocks of it in memory.

use std::process::{Command, Stdio};

use ipam_rewind::embedded::sample::{self, PlanSize};

use crate::support::database;
use crate::support::program::{Program, wrap};

/// MiB that a verb may take; rows are twice as much here.
const MOST: u64 = 150;

/// Runs a command line; the most memory that it took, in MiB.
fn peak(program: &Program, arguments: &[&str]) -> u64 {
    let mut timed = Command::new("/usr/bin/python3");
    let script = "import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)";
    timed.args(["-c", script]);
    wrap(&mut timed, &program.command(arguments));
    let ended = timed.stdin(Stdio::null()).output().expect("python3 runs");
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
    said.trim().parse().expect("a number")
}

#[tokio::test]
async fn two_hundred_thousand_prefixes_go_out_and_in_through_little_memory() {
    let database = database().await;
    let mut owner = database.connect().await;
    sample::load(&mut owner, PlanSize { prefixes: 200_000 }).await.expect("loaded");
    let program = Program::on(&database);
    let id = program.backup();
    let file = program.store().join("archive.tar");
    let path = file.to_str().expect("a path");
    let export = peak(&program, &["export", &id, "--output", path]);
    let size = file.metadata().expect("written").len() >> 20;
    let import = peak(&Program::at(None), &["import", path]);
    let diff = peak(&program, &["diff", &id, "--format", "csv"]);
    assert!(size > 80, "{size} MiB are too few to tell");
    assert!(export < MOST && import < MOST && diff < MOST, "{export}, {import}, {diff} MiB");
}
