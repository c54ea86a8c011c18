//! S3 servers that lack something. The whole cycle works on each: backup, a second backup, verify,
//! restore, annotate, cleanup; and the lock of a process that was killed is taken over.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ipam_rewind::store::{Lock, LockKind, Mode, S3Options, Store, connect_to_s3};
use nix::sys::signal::Signal;
use object_store::aws::AmazonS3Builder;
use object_store::prefix::PrefixStore;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::program::{Ended, Program};
use crate::support::s3::{Kind, S3Server, environment, keys};
use crate::support::s3_dialect::{Dialect, Request, Says};
use crate::support::serving::{Serving, ok};
use crate::support::{TestDatabase, sample_database};

use super::running::{Running, change, until};

/// The program on a store behind a proxy that speaks a dialect.
struct Site {
    database: TestDatabase,
    program: Program,
    dialect: Dialect,
    server: S3Server,
}

impl Site {
    async fn speaking(kind: Kind, rule: impl Fn(&Request) -> Says + Send + Sync + 'static) -> Self {
        let database = sample_database().await;
        let program = Program::on(&database);
        let server = S3Server::start_as(kind).await;
        let dialect = Dialect::before(server.port(), rule).await;
        Self { database, program, dialect, server }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program.command(arguments);
        command.env("BACKUP_STORE", "s3://bucket/store").envs(environment(self.dialect.port()));
        command
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        Running::of(self.command(arguments)).ended().await
    }

    async fn ok(&self, arguments: &[&str]) -> Ended {
        let ended = self.run(arguments).await;
        assert_eq!(ended.code, 0, "{arguments:?}: {}{}", ended.out, ended.err);
        ended
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let out = self.ok(&[arguments, &["--json"]].concat()).await.out;
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error} in {out}"))
    }

    async fn backup(&self) -> String {
        self.json(&["backup"]).await["backup_id"].as_str().expect("an id").to_owned()
    }

    async fn ids(&self) -> Vec<String> {
        let list = self.json(&["list"]).await;
        let backups = list["backups"].as_array().expect("a list").iter();
        backups.map(|backup| backup["backup_id"].as_str().expect("an id").to_owned()).collect()
    }

    /// What `store check` finds: the names of what is missing.
    async fn lacks(&self) -> Vec<String> {
        let checked = self.json(&["store", "check"]).await;
        let abilities = checked["abilities"].as_array().expect("a list");
        let missing = abilities.iter().filter(|ability| ability["ok"] == false);
        let missing: Vec<_> =
            missing.map(|ability| ability["name"].as_str().expect("a name").to_owned()).collect();
        assert_eq!(checked["complete"], missing.is_empty(), "{checked}");
        missing
    }

    /// Two backups, a verification, a restore of the first and an annotation.
    async fn cycle(&self) {
        let first = self.backup().await;
        let before = self.database.dump().await;
        change(&self.database).await;
        let second = self.backup().await;
        self.verify().await;
        self.ok(&["restore", &first, "--yes"]).await;
        assert!(self.database.dump().await == before, "the rows are those of the first backup");
        self.ok(&["annotate", &second, "--label", "a=b"]).await;
        assert!(self.ids().await.len() >= 3, "both, and the safety backup");
    }

    async fn verify(&self) {
        let verified = self.ok(&["verify"]).await.out;
        assert_eq!(verified.lines().last(), Some("No damage found."), "{verified}");
    }

    async fn cleanup(&self) {
        let cleaned = self.ok(&["cleanup", "1"]).await.out;
        assert!(cleaned.contains("1 deleted"), "{cleaned}");
        self.verify().await;
    }

    /// Another host, for which leases run out sooner.
    async fn other_host(&self) -> Store {
        let options = S3Options {
            endpoint: Some(format!("http://127.0.0.1:{}", self.dialect.port())),
            ..S3Options::default()
        };
        let builder = AmazonS3Builder::new()
            .with_region("us-east-1")
            .with_access_key_id(keys().0)
            .with_secret_access_key(keys().1);
        let s3 = connect_to_s3(builder, "bucket", &options).expect("a client");
        let objects = Arc::new(PrefixStore::new(s3, "store"));
        Store::over(objects, None, LockKind::Lease(Duration::from_secs(1))).await.expect("a store")
    }

    /// A backup is killed while it holds its lock; another host takes the lock, and gives it back.
    async fn takeover(&self) {
        self.dialect.take_seen();
        let mut killed = Running::of(self.command(&["backup"]));
        let is_pack = |seen: &String| seen.starts_with("PUT ") && seen.contains("/packs/");
        until("a pack", async || self.dialect.take_seen().iter().any(is_pack)).await;
        killed.signal(Signal::SIGKILL);
        drop(killed);
        let other = self.other_host().await;
        let patience = Duration::from_mins(1);
        let held = other.lock(Lock::Objects, Mode::Exclusive, "the other host", patience).await;
        held.expect("the lease of the killed process ran out").release().await;
        self.backup().await;
    }

    /// Keeps the newest backup, and nothing of the locks.
    async fn cleanup_all(&self) {
        self.ok(&["cleanup", "1"]).await;
        self.verify().await;
    }

    async fn leases(&self) -> Vec<String> {
        use futures::TryStreamExt;
        use object_store::ObjectStore;
        let bucket = self.server.bucket();
        let below = |name: &str| object_store::path::Path::from(format!("store/locks/{name}"));
        let mut found = Vec::new();
        for name in ["objects", "maintenance", "states"] {
            let listed = bucket.list(Some(&below(name))).try_collect::<Vec<_>>().await;
            found.extend(listed.expect("listed").into_iter().map(|meta| meta.location.to_string()));
        }
        found
    }
}

fn anything(_: &Request) -> Says {
    Says::Forward
}

fn refuse_conditions(request: &Request) -> Says {
    if request.is_conditional() { Says::Error(501, "NotImplemented") } else { Says::Forward }
}

/// With the right to write and none to remove.
fn refuse_removals(request: &Request) -> Says {
    let removes = request.method == "DELETE" || request.is_bulk_delete();
    if removes { Says::Error(403, "AccessDenied") } else { Says::Forward }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_that_does_everything_lacks_nothing() {
    let site = Site::speaking(Kind::Moto, anything).await;
    site.cycle().await;
    assert_eq!(site.lacks().await, [""; 0]);
    change(&site.database).await;
    site.takeover().await;
    site.cleanup_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conditional_put_refused_with_501_does_not_stop_any_command() {
    let site = Site::speaking(Kind::Moto, refuse_conditions).await;
    let first = site.ok(&["backup"]).await;
    assert!(first.err.contains("does not support conditional writes"), "{}", first.err);
    let second = site.ok(&["backup"]).await;
    assert!(!second.err.contains("conditional"), "said once: {}", second.err);
    site.cleanup().await;
    let site = Site::speaking(Kind::Moto, refuse_conditions).await;
    site.cycle().await;
    assert_eq!(site.lacks().await, ["conditional_create", "conditional_replace"]);
    change(&site.database).await;
    site.takeover().await;
    site.cleanup_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_that_are_ignored_are_found_out_and_replaced_by_a_lease() {
    for kind in [Kind::Moto, Kind::Rclone] {
        // rclone ignores them by itself, and would see that signed headers are gone.
        let rule = move |_: &Request| match kind {
            Kind::Rclone => Says::Forward,
            _ => Says::Without(&["if-none-match", "if-match"]),
        };
        let site = Site::speaking(kind, rule).await;
        site.cycle().await;
        assert_eq!(site.lacks().await, ["conditional_create", "conditional_replace"], "{kind:?}");
        change(&site.database).await;
        site.takeover().await;
        site.cleanup_all().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_of_two_hosts_without_conditional_writes_are_both_there() {
    let site = Site::speaking(Kind::Moto, refuse_conditions).await;
    site.backup().await;
    let both: Vec<_> = (0..3).map(|_| Running::of(site.command(&["backup"]))).collect();
    for one in both {
        let ended = one.ended().await;
        assert_eq!(ended.code, 0, "{}", ended.err);
    }
    assert_eq!(site.ids().await.len(), 4);
    site.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_removals_backups_go_on_and_leases_of_others_are_ended() {
    for (kind, status) in [(Kind::Moto, 403), (Kind::Rclone, 403), (Kind::Moto, 405)] {
        let refuse = move |request: &Request| match refuse_removals(request) {
            Says::Error(..) => Says::Error(status, "MethodNotAllowed"),
            other => other,
        };
        let site = Site::speaking(kind, refuse).await;
        let first = site.ok(&["backup"]).await;
        assert!(first.err.contains("does not let these credentials remove"), "{}", first.err);
        site.cycle().await;
        assert!(site.lacks().await.contains(&"remove".to_owned()));
        change(&site.database).await;
        site.takeover().await;
        let before = site.ids().await;
        for arguments in [&["cleanup", "1"][..], &["delete", &before[0], "--yes"]] {
            let refused = site.run(arguments).await;
            assert_eq!(refused.code, 1, "{arguments:?}: {}", refused.out);
            let says = "cannot be deleted: the object store does not let these credentials remove";
            assert!(refused.err.contains(says), "{}", refused.err);
            assert!(refused.err.contains("s3:DeleteObject"), "{}", refused.err);
        }
        assert_eq!(site.ids().await, before);
        // Locks are free at once all the same.
        site.backup().await;
        site.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn service_without_removals_is_well() {
    let site = Site::speaking(Kind::Moto, refuse_removals).await;
    site.backup().await;
    let mut command = site.command(&["serve", "--listen", "127.0.0.1:0", "--keep-all"]);
    command.env("STATE_DIRECTORY", site.program.store().join("state"));
    site.dialect.take_seen();
    let service = Serving::of(command);
    let health = service.json("/api/health").await;
    assert_eq!((&health["status"], &health["checks"]["store"]["ok"]), (&"ok".into(), &true.into()));
    let seen = site.dialect.take_seen();
    assert!(seen.iter().any(|seen| seen.starts_with("PUT ")), "it was tried: {seen:?}");
    assert!(!seen.iter().any(|seen| seen.starts_with("DELETE ")), "nothing is removed: {seen:?}");
    assert_eq!(service.stop().await, 0);
}

/// The overview is good for a minute, so this takes longer.
#[tokio::test(flavor = "multi_thread")]
async fn service_whose_bucket_falls_silent_says_so_and_keeps_nobody_waiting() {
    let is_silent = Arc::new(AtomicBool::new(false));
    let silent = is_silent.clone();
    let site = Site::speaking(Kind::Moto, move |_| {
        if silent.load(Ordering::Relaxed) { Says::Nothing } else { Says::Forward }
    })
    .await;
    site.backup().await;
    let mut command = site.command(&["serve", "--listen", "127.0.0.1:0", "--keep-all"]);
    command.env("STATE_DIRECTORY", site.program.store().join("state"));
    let service = Serving::of(command);
    assert_eq!(service.json("/api/health").await["status"], "ok");
    is_silent.store(true, Ordering::Relaxed);
    until("a service that is failing", async || {
        let request = service.get("/api/health").header("Connection", "close");
        let asked = ok(request.timeout(Duration::from_secs(20))).await;
        asked["status"] == "failing" && asked["checks"]["store"]["detail"] == "it does not answer"
    })
    .await;
    let metrics = service.get("/metrics").timeout(Duration::from_secs(20)).send().await;
    assert!(metrics.expect("it answers").status().is_success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_credentials_without_removals_left_is_removed_by_others() {
    let site = Site::speaking(Kind::Moto, refuse_removals).await;
    site.backup().await;
    let allowed = Dialect::before(site.server.port(), anything).await;
    let site = Site { dialect: allowed, ..site };
    site.backup().await;
    site.cleanup().await;
    assert_eq!(site.lacks().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn server_without_bulk_delete_keeps_no_leases() {
    for status in [501, 405] {
        let refuse = move |request: &Request| {
            let is_bulk = request.is_bulk_delete();
            if is_bulk { Says::Error(status, "NotImplemented") } else { Says::Forward }
        };
        let site = Site::speaking(Kind::Moto, refuse).await;
        site.cycle().await;
        assert_eq!(site.lacks().await, [""; 0]);
        change(&site.database).await;
        site.takeover().await;
        site.cleanup_all().await;
        let listed = site.leases().await;
        assert_eq!(listed, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_that_requires_content_md5_gets_it() {
    let require = |request: &Request| match request.method.as_str() {
        "PUT" if request.header("content-md5").is_none() => Says::Error(400, "MissingContentMD5"),
        _ => Says::Forward,
    };
    let site = Site::speaking(Kind::Moto, require).await;
    site.cycle().await;
    assert_eq!(site.lacks().await, [""; 0]);
    change(&site.database).await;
    site.takeover().await;
    site.cleanup_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn server_that_asks_to_slow_down_is_asked_again() {
    let busy = |request: &Request| match request.number % 3 {
        1 => Says::Error(503, "SlowDown"),
        _ => Says::Forward,
    };
    let site = Site::speaking(Kind::Moto, busy).await;
    site.cycle().await;
    assert_eq!(site.lacks().await, [""; 0]);
    change(&site.database).await;
    site.takeover().await;
    site.cleanup_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bucket_is_named_in_the_host_where_that_is_asked_for() {
    let site = Site::speaking(Kind::Moto, anything).await;
    let port = site.dialect.port();
    for (addressing, path) in [("virtual", "/store/"), ("path", "/bucket/store/")] {
        let place = format!(
            "s3://bucket/store?endpoint=http://localhost:{port}&addressing={addressing}&retry=1"
        );
        site.dialect.take_seen();
        let mut command = site.command(&["store", "check"]);
        command.env("BACKUP_STORE", place).env_remove("AWS_ENDPOINT");
        let ended = Running::of(command).ended().await;
        let seen = site.dialect.take_seen();
        // Not every machine finds the address of bucket.localhost.
        let unresolved = ended.code != 0 && seen.is_empty();
        assert!(
            unresolved && addressing == "virtual" || seen[0].contains(path),
            "{addressing}: {seen:?} {}",
            ended.err
        );
    }
}

/// Accepts connections and says nothing.
async fn silent() -> (u16, tokio::task::AbortHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let accepting = tokio::spawn(async move {
        let mut connections = Vec::new();
        loop {
            connections.push(listener.accept().await.expect("a connection"));
        }
    });
    (port, accepting.abort_handle())
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_server_is_named_within_seconds_and_given_up_soon() {
    let (port, accepting) = silent().await;
    let program = Program::at(None);
    let begun = Instant::now();
    let mut command = program.command(&["list"]);
    command.env("BACKUP_STORE", "s3://bucket/store").envs(environment(port));
    let ended = Running::of(command).ended().await;
    let took = begun.elapsed();
    accepting.abort();
    assert_eq!(ended.code, 1, "{}", ended.err);
    let address = format!("http://127.0.0.1:{port}");
    let waiting = format!("waiting for the object store at {address} for 5 s");
    assert!(ended.err.contains(&waiting), "{}", ended.err);
    assert!(ended.err.contains(&format!("no answer from {address} within 20 s")), "{}", ended.err);
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn server_that_falls_silent_is_named_and_given_up_as_the_parameters_say() {
    let speak = |request: &Request| {
        if request.path.contains("/packs/") { Says::Nothing } else { Says::Forward }
    };
    let site = Site::speaking(Kind::Moto, speak).await;
    let begun = Instant::now();
    let mut command = site.command(&["backup"]);
    command.env("BACKUP_STORE", "s3://bucket/store?timeout=8&retry=1");
    let ended = Running::of(command).ended().await;
    let took = begun.elapsed();
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("waiting for the object store at http://"), "{}", ended.err);
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert_eq!(site.ids().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_parameters_are_refused_by_name() {
    let program = Program::at(None);
    let ended = program.command(&["list", "--store", "s3://bucket/x?retries=9"]).output();
    let ended = Ended::from(ended.expect("it runs"));
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(ended.err.contains("unknown parameter \"retries\""), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn store_check_of_a_folder_and_of_a_bucket_without_a_store_says_so() {
    let program = Program::at(None);
    let checked = program.json(&["store", "check"]);
    assert_eq!((&checked["is_store"], &checked["complete"]), (&false.into(), &true.into()));
    assert_eq!(std::fs::read_dir(program.store()).expect("a folder").count(), 0, "nothing is left");
    let text = program.ok(&["store", "check"]);
    assert!(text.contains("no store yet") && text.contains("ok  lock: flock works here"), "{text}");
    let site = Site::speaking(Kind::Moto, refuse_conditions).await;
    let text = site.ok(&["store", "check"]).await.out;
    assert!(text.contains("s3://bucket/store: no store yet, at http://"), "{text}");
    assert!(text.contains("NOT conditional create: a PUT with If-None-Match is refused"), "{text}");
    assert!(text.contains("take turns with a lease"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_metadata_service_is_named_and_where_else_credentials_were_looked_for() {
    let (port, accepting) = silent().await;
    let program = Program::at(None);
    let begun = Instant::now();
    let mut command = program.command(&["list"]);
    command.env("BACKUP_STORE", "s3://bucket/store");
    let address = format!("http://127.0.0.1:{port}");
    command.env("AWS_METADATA_ENDPOINT", &address);
    let ended = Running::of(command).ended().await;
    let took = begun.elapsed();
    accepting.abort();
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("waiting for S3 credentials from "), "{}", ended.err);
    for sought in ["AWS_ACCESS_KEY_ID", "web identity", "container", "instance metadata", &address]
    {
        assert!(ended.err.contains(sought), "{sought}: {}", ended.err);
    }
    assert!(ended.err.contains("no credentials found in AWS_ACCESS_KEY_ID"), "{}", ended.err);
    assert!(took < Duration::from_secs(20), "{took:?}");
}
