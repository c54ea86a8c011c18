//! Which two places are two stores, and which are one.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{intact, listed, text};
use crate::support::program::{Ended, Program};
use crate::support::s3::{S3Server, environment};
use crate::support::{database, sample_database};

fn refused(ended: &Ended, why: &str) {
    assert_eq!(ended.code, 2, "{}{}", ended.out, ended.err);
    assert!(ended.err.contains(why), "{}", ended.err);
}

/// A link to a store, in a folder of its own.
fn link_to(store: &Path) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(store, &link).expect("a link");
    (folder, link)
}

/// Runs the program with credentials for S3.
fn run(program: &Program, arguments: &[&str]) -> Ended {
    let mut command = program.command(arguments);
    let settings = environment(1).into_iter().filter(|(name, _)| *name != "AWS_ENDPOINT");
    command.envs(settings).output().expect("it runs").into()
}

#[tokio::test(flavor = "multi_thread")]
async fn same_bucket_and_prefix_of_two_servers_are_two_stores() {
    let (one, other) = (S3Server::start().await, S3Server::start().await);
    let database = sample_database().await;
    let program = Program::on(&database);
    let at = |server: &S3Server, host: &str| {
        format!("s3://bucket/ipam?endpoint=http://{host}:{}&addressing=path", server.port())
    };
    let (from, to) = (at(&one, "127.0.0.1"), at(&other, "127.0.0.1"));
    let ended = run(&program, &["backup", "--store", &from]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let ended = run(&program, &["copy", "--store", &from, "--to", &to, "--all"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(run(&program, &["verify", "--store", &to]).code, 0);

    // By another name it is the same one.
    for same in [&from, &at(&one, "localhost")] {
        let ended = run(&program, &["copy", "--store", &from, "--to", same, "--all"]);
        refused(&ended, "onto itself");
    }
    let inside = from.replace("/ipam?", "/ipam/copy?");
    for (from, to) in [(&from, &inside), (&inside, &from)] {
        run(&program, &["backup", "--store", from]);
        refused(&run(&program, &["copy", "--store", from, "--to", to, "--all"]), "inside");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn store_by_another_name_and_one_inside_the_other_are_refused_before_anything_is_made() {
    let database = database().await;
    let program = Program::on(&database);
    program.backup();
    let (_folder, link) = link_to(program.store());
    let dotted = program.store().join("packs/..");
    for same in [program.store(), &link, &dotted] {
        refused(&program.run(&["copy", "--to", text(same), "--all"]), "onto itself");
    }
    let inside = [program.store().join("copy"), link.join("deep/copy"), dotted.join("copy")];
    for place in &inside {
        refused(&program.run(&["copy", "--to", text(place), "--all"]), "inside");
        assert!(!place.exists());
    }
    let above = program.store().parent().expect("a folder above");
    refused(&program.run(&["copy", "--to", text(above), "--all"]), "inside");
    assert!(!above.join("store.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn folder_that_was_copied_file_by_file_is_another_store() {
    let database = database().await;
    let program = Program::on(&database);
    program.backup();
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("copy");
    let copied = Command::new("cp").arg("-a").arg(program.store()).arg(&to).status();
    assert!(copied.expect("cp runs").success());
    let next = program.backup();
    let report = program.json(&["copy", "--to", text(&to), "--all"]);
    assert_eq!(report["copied"], serde_json::json!([next]));
    assert_eq!(listed(&program, text(&to)), listed(&program, text(program.store())));
    intact(&program, text(&to));
}

#[tokio::test(flavor = "multi_thread")]
async fn service_does_not_start_if_the_copy_is_its_own_store() {
    let database = database().await;
    let program = Program::on(&database);
    program.backup();
    let (_folder, link) = link_to(program.store());
    let serve =
        |to: &Path| program.run(&["serve", "--listen", "127.0.0.1:0", "--copy-to", text(to)]);
    for (to, why) in [
        (program.store(), "onto itself"),
        (&link, "onto itself"),
        (&program.store().join("copy"), "inside"),
    ] {
        refused(&serve(to), why);
    }
}
