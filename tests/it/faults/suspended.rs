//! A process that is suspended (SIGSTOP) until another host has taken its locks, and then goes on:
//! nothing that was published is lost, nothing broken is published, the database is as it was.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ipam_rewind::store::{Lock, LockKind, Mode, Store};
use nix::sys::signal::Signal;
use object_store::prefix::PrefixStore;

use super::running::{Running, change};
use crate::support::program::{Ended, Program};
use crate::support::s3::{KINDS, Kind, S3Server, environment};
use crate::support::s3_proxy::Proxy;
use crate::support::{TestDatabase, sample_database};

/// Whatever was not renewed for so long has run out for the other host.
const LEASE: LockKind = LockKind::Lease(Duration::from_secs(1));
const PATIENCE: Duration = Duration::from_mins(1);

/// The program on a store in S3, behind a proxy; and another host on the same store.
struct Site {
    kind: Kind,
    database: TestDatabase,
    program: Program,
    proxy: Proxy,
    server: S3Server,
}

impl Site {
    async fn on(kind: Kind) -> Self {
        let database = sample_database().await;
        let program = Program::on(&database);
        let server = S3Server::start_as(kind).await;
        let proxy = Proxy::to(server.port()).await;
        Self { kind, database, program, proxy, server }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program.command(arguments);
        command.env("BACKUP_STORE", "s3://bucket/store").envs(environment(self.proxy.port()));
        command
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        Running::of(self.command(arguments)).ended().await
    }

    async fn ok(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments).await;
        assert_eq!(ended.code, 0, "{:?} {arguments:?}: {}{}", self.kind, ended.out, ended.err);
        ended.out
    }

    async fn backup(&self) -> String {
        let body = self.ok(&["backup", "--json"]).await;
        let body: serde_json::Value = serde_json::from_str(&body).expect("a document");
        body["backup_id"].as_str().expect("an id").to_owned()
    }

    /// Takes both locks as another host does, and sweeps.
    async fn take_over(&self) {
        let objects = Arc::new(PrefixStore::new(self.server.bucket(), "store"));
        let store = Store::over(objects, None, LEASE).await.expect("the store");
        let lock = |lock| store.lock(lock, Mode::Exclusive, "the other host", PATIENCE);
        let maintenance = lock(Lock::Maintenance).await.expect("it ran out");
        let objects = lock(Lock::Objects).await.expect("it ran out");
        let swept = store.sweep(&objects, store.default_grace()).await.expect("swept");
        assert_eq!(swept.packs_removed, 0, "a time of grace");
        objects.release().await;
        maintenance.release().await;
    }

    /// Runs a command that is suspended while its request of which `at` is true is on its way.
    async fn suspend(
        &self,
        arguments: &[&str],
        at: impl Fn(&str) -> bool + Send + 'static,
    ) -> Ended {
        let mut request = self.proxy.hold_up(at);
        let mut running = Running::of(self.command(arguments));
        request.arrived().await;
        running.signal(Signal::SIGSTOP);
        self.take_over().await;
        running.signal(Signal::SIGCONT);
        request.release().await;
        running.ended().await
    }

    fn fails_because_of_its_lock(&self, ended: &Ended) {
        assert_eq!(ended.code, 1, "{:?}: {}{}", self.kind, ended.out, ended.err);
        assert!(ended.err.contains("was lost: its lease was not renewed"), "{}", ended.err);
        assert!(ended.err.contains("ended by the other host (process "), "{}", ended.err);
        assert!(ended.err.contains("run the command again"), "{}", ended.err);
    }

    /// These backups are there, oldest first, and every byte of the store is right.
    async fn holds(&self, ids: &[&str]) {
        let listed: serde_json::Value =
            serde_json::from_str(&self.ok(&["list", "--json"]).await).expect("a document");
        let listed = listed["backups"].as_array().expect("a list");
        let mut listed: Vec<_> =
            listed.iter().map(|b| b["backup_id"].as_str().expect("an id")).collect();
        listed.reverse();
        assert_eq!(listed, ids, "{:?}", self.kind);
        let verified = self.ok(&["verify"]).await;
        assert_eq!(verified.lines().last(), Some("No damage found."), "{verified}");
    }
}

fn puts(of: &'static str) -> impl Fn(&str) -> bool {
    move |request| {
        request.starts_with("PUT ") && request.lines().next().is_some_and(|line| line.contains(of))
    }
}

fn removes(of: &'static str) -> impl Fn(&str) -> bool {
    move |request| {
        (request.starts_with("DELETE ") || request.starts_with("POST ")) && request.contains(of)
    }
}

fn lists_packs(request: &str) -> bool {
    request.starts_with("GET ") && request.lines().next().is_some_and(|line| line.contains("packs"))
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_backup_is_not_published_and_the_next_one_is() {
    for kind in KINDS {
        let site = Site::on(kind).await;
        let first = site.backup().await;
        change(&site.database).await;
        let ended = site.suspend(&["backup"], puts("packs/")).await;
        site.fails_because_of_its_lock(&ended);
        site.holds(&[&first]).await;
        let second = site.backup().await;
        site.holds(&[&first, &second]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_restore_changes_nothing_and_the_next_one_works() {
    for kind in KINDS {
        let site = Site::on(kind).await;
        let first = site.backup().await;
        change(&site.database).await;
        let before = site.database.dump().await;
        let ended = site.suspend(&["restore", &first, "--yes"], puts("packs/")).await;
        site.fails_because_of_its_lock(&ended);
        assert!(site.database.dump().await == before, "{kind:?}");
        site.holds(&[&first]).await;
        site.ok(&["restore", &first, "--yes"]).await;
        let diff = site.ok(&["diff", &first, "--json"]).await;
        let diff: serde_json::Value = serde_json::from_str(&diff).expect("a document");
        assert_eq!(diff["identical"], true, "{diff}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_import_is_not_published_and_the_next_one_is() {
    let site = Site::on(Kind::Rclone).await;
    let first = site.backup().await;
    let folder = crate::support::folder();
    let archive = folder.path().join("archive.tar");
    let archive = archive.to_str().expect("a path");
    site.ok(&["export", &first, "--output", archive]).await;
    site.ok(&["delete", &first, "--yes"]).await;
    let second = site.backup().await;
    let ended = site.suspend(&["import", archive], lists_packs).await;
    site.fails_because_of_its_lock(&ended);
    site.holds(&[&second]).await;
    site.ok(&["import", archive]).await;
    site.ok(&["verify"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_cleanup_stops_and_leaves_whole_backups() {
    let site = Site::on(Kind::Rclone).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(site.backup().await);
        site.database.sql("UPDATE vrf SET description = clock_timestamp()::text").await;
    }
    let ended = site.suspend(&["cleanup", "1"], removes("manifest.json")).await;
    site.fails_because_of_its_lock(&ended);
    let listed: serde_json::Value =
        serde_json::from_str(&site.ok(&["list", "--json"]).await).expect("a document");
    let there = |id: &&String| {
        let mut backups = listed["backups"].as_array().expect("a list").iter();
        backups.any(|backup| backup["backup_id"] == id.as_str())
    };
    let left: Vec<_> = ids.iter().filter(there).map(String::as_str).collect();
    // What was on its way when it was suspended is gone, and nothing else.
    assert_eq!(left.len(), 3, "{listed}");
    site.holds(&left).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_deletion_deletes_one_backup_and_harms_no_other() {
    let site = Site::on(Kind::Moto).await;
    let first = site.backup().await;
    change(&site.database).await;
    let second = site.backup().await;
    let ended = site.suspend(&["delete", &first, "--yes"], removes("manifest.json")).await;
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    site.holds(&[&second]).await;
}
