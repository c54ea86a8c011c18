//! S3 servers that lack something. The whole cycle works on each: backup, a second backup, verify,
//! restore, annotate, cleanup; and the lock of a process that was killed is taken over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{TryStreamExt, join};
use ipam_rewind::store::{Lock, LockKind, Mode, S3Options, Store, connect_to_s3};
use nix::sys::signal::Signal;
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::prefix::PrefixStore;

use super::bucket::Bucket;
use super::running::{Running, change, until};
use crate::support::program::{Ended, Program};
use crate::support::s3::{Kind, keys};
use crate::support::s3_dialect::{Dialect, Request, Says};

/// Abilities that a server lacks, and the words of the warning about them.
struct Lack {
    abilities: &'static [&'static str],
    warning: &'static str,
}

const CONDITIONS: Lack = Lack {
    abilities: &["conditional_create", "conditional_replace"],
    warning: "does not support conditional writes",
};
const REMOVALS: Lack =
    Lack { abilities: &["remove"], warning: "does not let these credentials remove" };

impl Lack {
    /// What the server itself lacks beside this: Garage, in place of moto, has no conditional writes.
    fn of_the_server(beside: &[Self]) -> Option<Self> {
        let named = beside.iter().any(|lack| lack.abilities == CONDITIONS.abilities);
        (std::env::var_os("IPAM_REWIND_GARAGE").is_some() && !named).then_some(CONDITIONS)
    }
}

impl Bucket {
    /// Two backups, a verification, a restore of the first and an annotation; then a lock is taken over.
    /// The first backup alone warns of what the server lacks, and `store check` names it.
    async fn works_without(&self, lacks: &[Lack]) {
        let own = Lack::of_the_server(lacks);
        let lacks: Vec<_> = own.iter().chain(lacks).collect();
        let (first, warned) = self.backup().await;
        for lack in [CONDITIONS, REMOVALS] {
            let is_lacking = lacks.iter().any(|it| it.abilities == lack.abilities);
            assert_eq!(warned.contains(lack.warning), is_lacking, "{warned}");
        }
        let before = self.database.dump().await;
        change(&self.database).await;
        let (second, warned) = self.backup().await;
        assert!(!warned.contains("the object store does not"), "said once: {warned}");
        self.verify().await;
        self.ok(&["restore", &first, "--yes"]).await;
        assert!(self.database.dump().await == before, "the rows are those of the first backup");
        self.ok(&["annotate", &second, "--label", "a=b"]).await;
        assert!(self.ids().await.len() >= 3, "both, and the safety backup");
        let missing: Vec<_> = lacks.iter().flat_map(|lack| lack.abilities).copied().collect();
        assert_eq!(self.missing().await, missing);
        change(&self.database).await;
        self.takeover().await;
    }

    /// The names of what is missing, as `store check` finds it.
    async fn missing(&self) -> Vec<String> {
        let checked = self.json(&["store", "check"]).await;
        let abilities = checked["abilities"].as_array().expect("a list");
        let missing = abilities.iter().filter(|ability| ability["ok"] == false);
        let missing: Vec<_> =
            missing.map(|ability| ability["name"].as_str().expect("a name").to_owned()).collect();
        assert_eq!(checked["complete"], missing.is_empty(), "{checked}");
        missing
    }

    /// Keeps the newest backup and the safety backups.
    async fn cleanup(&self) {
        let deliberate = self.ids().await.len() - self.safety_backups().await;
        let cleaned = self.ok(&["cleanup", "1"]).await.out;
        assert!(cleaned.contains(&format!("{} deleted", deliberate - 1)), "{cleaned}");
        self.verify().await;
    }

    async fn safety_backups(&self) -> usize {
        let list = self.json(&["list"]).await;
        let backups = list["backups"].as_array().expect("a list").iter();
        backups.filter(|backup| backup["backup_type"] == "pre-restore").count()
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

    async fn leases(&self) -> Vec<String> {
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

/// The whole cycle and a cleanup on a server of this kind that follows the rule.
async fn cycle(
    kind: Kind,
    rule: impl Fn(&Request) -> Says + Send + Sync + 'static,
    lacks: &[Lack],
) -> Bucket {
    let site = Bucket::behind(kind, rule).await;
    site.works_without(lacks).await;
    site.cleanup().await;
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn server_that_does_everything_lacks_nothing() {
    cycle(Kind::Moto, anything, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conditional_put_refused_with_501_does_not_stop_any_command() {
    cycle(Kind::Moto, refuse_conditions, &[CONDITIONS]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_that_are_ignored_are_found_out_and_replaced_by_a_lease() {
    let ignore = |_: &Request| Says::Without(&["if-none-match", "if-match"]);
    // rclone ignores them by itself, and would see that signed headers are gone.
    join!(cycle(Kind::Moto, ignore, &[CONDITIONS]), cycle(Kind::Rclone, anything, &[CONDITIONS]));
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_of_two_hosts_without_conditional_writes_are_both_there() {
    let site = Bucket::behind(Kind::Moto, refuse_conditions).await;
    site.backup().await;
    let both: Vec<_> = (0..3).map(|_| Running::of(site.command(&["backup"]))).collect();
    for one in both {
        let ended = one.ended().await;
        assert_eq!(ended.code, 0, "{}", ended.err);
    }
    assert_eq!(site.ids().await.len(), 4);
    site.verify().await;
}

/// All works but what removes, which says what is missing.
async fn works_without_removals(kind: Kind, status: u16, lacks: &[Lack]) {
    let refuse = move |request: &Request| match refuse_removals(request) {
        Says::Error(..) => Says::Error(status, "MethodNotAllowed"),
        other => other,
    };
    let site = Bucket::behind(kind, refuse).await;
    site.works_without(lacks).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn without_removals_backups_go_on_and_leases_of_others_are_ended() {
    join!(
        works_without_removals(Kind::Moto, 403, &[REMOVALS]),
        works_without_removals(Kind::Rclone, 403, &[CONDITIONS, REMOVALS]),
        works_without_removals(Kind::Moto, 405, &[REMOVALS])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn service_without_removals_is_well() {
    let site = Bucket::behind(Kind::Moto, refuse_removals).await;
    site.backup().await;
    site.dialect.take_seen();
    let service = site.serve();
    let health = service.json("/api/health").await;
    assert_eq!((&health["status"], &health["checks"]["store"]["ok"]), (&"ok".into(), &true.into()));
    let seen = site.dialect.take_seen();
    assert!(seen.iter().any(|seen| seen.starts_with("PUT ")), "it was tried: {seen:?}");
    assert!(!seen.iter().any(|seen| seen.starts_with("DELETE ")), "nothing is removed: {seen:?}");
    assert_eq!(service.stop().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_credentials_without_removals_left_is_removed_by_others() {
    let site = Bucket::behind(Kind::Moto, refuse_removals).await;
    site.backup().await;
    let allowed = Dialect::before(site.server.port(), anything).await;
    let site = Bucket { dialect: allowed, ..site };
    site.backup().await;
    site.cleanup().await;
    // A server of its own may lack conditional writes.
    assert!(!site.missing().await.contains(&"remove".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn server_without_bulk_delete_keeps_no_leases() {
    let refused_with = |status| {
        move |request: &Request| {
            let is_bulk = request.is_bulk_delete();
            if is_bulk { Says::Error(status, "NotImplemented") } else { Says::Forward }
        }
    };
    let (one, other) =
        join!(cycle(Kind::Moto, refused_with(501), &[]), cycle(Kind::Moto, refused_with(405), &[]));
    assert_eq!(one.leases().await, [""; 0]);
    assert_eq!(other.leases().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn server_that_requires_content_md5_gets_it() {
    let require = |request: &Request| match request.method.as_str() {
        "PUT" if request.header("content-md5").is_none() => Says::Error(400, "MissingContentMD5"),
        _ => Says::Forward,
    };
    cycle(Kind::Moto, require, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn server_that_asks_to_slow_down_is_asked_again() {
    let busy = |request: &Request| match request.number % 3 {
        1 => Says::Error(503, "SlowDown"),
        _ => Says::Forward,
    };
    cycle(Kind::Moto, busy, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bucket_is_named_in_the_host_where_that_is_asked_for() {
    let site = Bucket::behind(Kind::Moto, anything).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn server_that_is_busy_for_a_while_is_asked_until_it_is_not() {
    let refused = AtomicUsize::new(0);
    let site = Bucket::behind(Kind::Moto, move |request| {
        let is_pack = request.method == "PUT" && request.path.contains("/packs/");
        // One more than object_store would try again by itself.
        let is_busy = is_pack && refused.fetch_add(1, Ordering::Relaxed) < 11;
        if is_busy { Says::Error(503, "SlowDown") } else { Says::Forward }
    })
    .await;
    site.backup().await;
    let packs = site.dialect.take_seen();
    let packs = packs.iter().filter(|seen| seen.starts_with("PUT ") && seen.contains("/packs/"));
    assert!(packs.count() > 11);
    site.verify().await;
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
    let site = Bucket::behind(Kind::Moto, refuse_conditions).await;
    let text = site.ok(&["store", "check"]).await.out;
    assert!(text.contains("s3://bucket/store: no store yet, at http://"), "{text}");
    assert!(text.contains("NOT conditional create: a PUT with If-None-Match is refused"), "{text}");
    assert!(text.contains("take turns with a lease"), "{text}");
}
