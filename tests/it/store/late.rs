//! Requests that arrive when their sender has lost its lock, on real S3 servers: nothing that was
//! published is lost, nothing broken is published.

use std::sync::Arc;
use std::time::Duration;

use ipam_rewind::model::{PartManifest, State};
use ipam_rewind::store::{Held, Lock, LockKind, Mode, Store, StoreError, Written};
use object_store::aws::AmazonS3;
use object_store::prefix::PrefixStore;

use super::samples::{back_up, id, manifest, read, rows, write};
use super::sweeping::NOW;
use crate::support::s3::{KINDS, Kind, S3Server, impatient};
use crate::support::s3_proxy::Proxy;

/// Never renewed within a test.
const LONG: Duration = Duration::from_hours(1);
/// Whatever was not renewed for so long has run out for this host.
const SHORT: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_mins(1);

/// Two hosts on one store: the first behind a proxy and never renewing its locks, as if suspended;
/// the second ends them after a second.
struct Hosts {
    kind: Kind,
    proxy: Proxy,
    slow: Store,
    other: Store,
    _server: S3Server,
}

async fn over(bucket: AmazonS3, lease: Duration) -> Store {
    let objects = Arc::new(PrefixStore::new(bucket, "store"));
    Store::over(objects, None, LockKind::Lease(lease)).await.expect("a store")
}

impl Hosts {
    async fn on(kind: Kind) -> Self {
        let server = S3Server::start_as(kind).await;
        let proxy = Proxy::to(server.port()).await;
        let other = over(server.bucket(), SHORT).await;
        let slow = over(impatient(proxy.port(), PATIENCE), LONG).await;
        Self { kind, proxy, slow, other, _server: server }
    }

    async fn take(&self, mode: Mode) -> Held {
        self.other.lock(Lock::Objects, mode, "the other host", PATIENCE).await.expect("it ran out")
    }

    async fn sweep(&self, grace: Duration) -> ipam_rewind::store::Swept {
        let held = self.take(Mode::Exclusive).await;
        let swept = self.other.sweep(&held, grace).await.expect("swept");
        held.release().await;
        swept
    }

    /// What the slow host has written of a backup, and confirmed, before it publishes the manifest.
    async fn about_to_publish(&self, rows: &[Vec<u8>]) -> (Held, PartManifest, Written) {
        let held = self.slow.lock(Lock::Objects, Mode::Shared, "backup", PATIENCE).await;
        let (part, written) = write(&self.slow, rows).await.expect("written");
        self.slow.confirm(&written).await.expect("all there");
        (held.expect("free"), part, written)
    }

    /// Every backup that is listed is whole.
    async fn are_whole(&self, expected: &[u32]) {
        let ids = self.other.backups().await.expect("listed");
        let expected: Vec<_> = expected.iter().map(|n| id(*n)).collect();
        assert_eq!(ids, expected, "{:?}", self.kind);
        let mut manifests = Vec::new();
        for id in &ids {
            manifests.push(self.other.manifest(id).await.expect("whole"));
        }
        let damage = self.other.check_all(&manifests, |_| ()).await.expect("checked");
        assert_eq!(damage, [], "{:?}", self.kind);
    }
}

fn is_removal(request: &str, of: &str) -> bool {
    (request.starts_with("DELETE ") || request.starts_with("POST ")) && request.contains(of)
}

fn is_write(request: &str, of: &str) -> bool {
    let line = request.lines().next().unwrap_or_default();
    line.starts_with("PUT ") && line.contains(of)
}

#[tokio::test(flavor = "multi_thread")]
async fn late_removal_of_a_pack_harms_no_backup_made_meanwhile() {
    for kind in KINDS {
        let hosts = Hosts::on(kind).await;
        back_up(&hosts.slow, &id(1), &rows(500, "one")).await.expect("made");
        back_up(&hosts.slow, &id(2), &rows(500, "two")).await.expect("made");
        hosts.slow.unlink(&id(1)).await.expect("unlinked");
        let held = hosts.slow.lock(Lock::Objects, Mode::Exclusive, "sweep", PATIENCE).await;
        let held = held.expect("free");
        let mut removal = hosts.proxy.hold_up(|request| is_removal(request, "packs/"));
        let sweeping = hosts.slow.sweep(&held, NOW);
        let meanwhile = async {
            removal.arrived().await;
            let shared = hosts.take(Mode::Shared).await;
            let made = write(&hosts.other, &rows(500, "one")).await.expect("written");
            hosts.other.confirm(&made.1).await.expect("all there");
            let manifest = manifest(&id(3), made.0);
            let published =
                hosts.other.publish_held(&shared, &made.1, &manifest, &State::default()).await;
            published.expect("published");
            shared.release().await;
            hosts.are_whole(&[2, 3]).await;
            removal.release().await;
        };
        let (_, ()) = tokio::join!(sweeping, meanwhile);
        hosts.are_whole(&[2, 3]).await;
        assert!(read(&hosts.other, &id(3)).await.expect("read") == rows(500, "one"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_suspended_between_confirm_and_manifest_is_not_published() {
    for kind in KINDS {
        let hosts = Hosts::on(kind).await;
        back_up(&hosts.other, &id(1), &rows(500, "one")).await.expect("made");
        let (held, part, written) = hosts.about_to_publish(&rows(500, "one")).await;
        // Suspended here; the other host takes the lock and removes what no backup needs.
        hosts.other.unlink(&id(1)).await.expect("unlinked");
        assert_eq!(hosts.sweep(NOW).await.packs_removed, 1);
        let manifest = manifest(&id(2), part);
        let published =
            hosts.slow.publish_held(&held, &written, &manifest, &State::default()).await;
        assert!(matches!(published, Err(StoreError::LeaseLost(_))), "{published:?}");
        let message = published.expect_err("lost").to_string();
        assert!(message.contains("ended by the other host (process "), "{message}");
        hosts.are_whole(&[]).await;
        back_up(&hosts.slow, &id(3), &rows(500, "one")).await.expect("made");
        hosts.are_whole(&[3]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn manifest_that_arrives_when_its_packs_are_marked_is_taken_back() {
    for kind in KINDS {
        let hosts = Hosts::on(kind).await;
        back_up(&hosts.other, &id(1), &rows(500, "one")).await.expect("made");
        let (held, part, written) = hosts.about_to_publish(&rows(700, "one")).await;
        assert!(!written.relied.is_empty());
        let (name, state) = (manifest(&id(2), part), State::default());
        let mut creation = hosts.proxy.hold_up(|request| is_write(request, "manifest.json"));
        let publishing = hosts.slow.publish_held(&held, &written, &name, &state);
        let meanwhile = async {
            creation.arrived().await;
            hosts.other.unlink(&id(1)).await.expect("unlinked");
            let swept = hosts.sweep(hosts.other.default_grace()).await;
            assert!(swept.bytes_pending > 0 && swept.packs_removed == 0, "{swept:?}");
            creation.release().await;
        };
        let (published, ()) = tokio::join!(publishing, meanwhile);
        // It tells that its packs were marked, and takes the backup back.
        assert!(matches!(published, Err(StoreError::SweptMeanwhile(_))), "{published:?}");
        hosts.are_whole(&[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn manifest_of_a_killed_backup_that_arrives_late_is_saved_by_the_next_sweep() {
    for kind in KINDS {
        let hosts = Hosts::on(kind).await;
        back_up(&hosts.other, &id(1), &rows(500, "one")).await.expect("made");
        let (held, part, written) = hosts.about_to_publish(&rows(700, "one")).await;
        let (slow, name) = (hosts.slow.clone(), manifest(&id(2), part));
        let mut creation = hosts.proxy.hold_up(|request| is_write(request, "manifest.json"));
        let publishing = tokio::spawn(async move {
            let _ = slow.publish_held(&held, &written, &name, &State::default()).await;
        });
        creation.arrived().await;
        publishing.abort();
        hosts.other.unlink(&id(1)).await.expect("unlinked");
        let hour = hosts.other.default_grace();
        assert!(hosts.sweep(hour).await.bytes_pending > 0);
        creation.release().await;
        hosts.are_whole(&[2]).await;
        // What it needs of the marked packs is copied; they go in the end, and it stays.
        let swept = hosts.sweep(hour).await;
        assert!(swept.packs_rewritten > 0, "{swept:?}");
        let swept = hosts.sweep(NOW).await;
        assert!(swept.packs_removed > 0, "{swept:?}");
        hosts.are_whole(&[2]).await;
        assert!(read(&hosts.other, &id(2)).await.expect("read") == rows(700, "one"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn creation_whose_answer_is_lost_is_a_success() {
    for kind in KINDS {
        let hosts = Hosts::on(kind).await;
        let slow = over(impatient(hosts.proxy.port(), Duration::from_secs(2)), LONG).await;
        let held = slow.lock(Lock::Objects, Mode::Shared, "backup", PATIENCE).await.expect("free");
        let (part, written) = write(&slow, &rows(100, "one")).await.expect("written");
        let lost = hosts.proxy.lose_answer(|request| is_write(request, "manifest.json"));
        let manifest = manifest(&id(1), part);
        let published = slow.publish_held(&held, &written, &manifest, &State::default()).await;
        published.expect("it is there");
        assert_eq!(lost.release().await, "HTTP/1.1 200 OK");
        hosts.are_whole(&[1]).await;
        // The same for one that never arrived: it is sent again, and the late one changes nothing.
        let (part, written) = write(&slow, &rows(100, "two")).await.expect("written");
        let late = hosts.proxy.hold_up(|request| is_write(request, "manifest.json"));
        let manifest = super::samples::manifest(&id(2), part);
        let published = slow.publish_held(&held, &written, &manifest, &State::default()).await;
        published.expect("it is there");
        late.release().await;
        hosts.are_whole(&[1, 2]).await;
        assert_eq!(hosts.other.manifest(&id(2)).await.expect("there"), manifest);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn creation_that_nobody_answers_is_reported_as_unknown() {
    for kind in KINDS {
        let hosts = Hosts::on(kind).await;
        let slow = over(impatient(hosts.proxy.port(), Duration::from_secs(1)), LONG).await;
        let held = slow.lock(Lock::Objects, Mode::Shared, "backup", PATIENCE).await.expect("free");
        let (part, written) = write(&slow, &rows(100, "one")).await.expect("written");
        let mut lost = hosts.proxy.lose_answer(|request| is_write(request, "manifest.json"));
        let (name, state) = (manifest(&id(1), part), State::default());
        let publishing = slow.publish_held(&held, &written, &name, &state);
        let meanwhile = async {
            lost.arrived().await;
            hosts.proxy.set_down(true);
        };
        let (published, ()) = tokio::join!(publishing, meanwhile);
        let error = published.expect_err("no answer");
        assert!(matches!(error, StoreError::PublishUnknown { .. }), "{error:?}");
        assert!(error.to_string().contains("`list` shows it if it is"), "{error}");
        hosts.are_whole(&[1]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn renewal_that_arrives_late_does_not_bring_a_lost_lock_back() {
    for kind in KINDS {
        let hosts = Hosts::on(kind).await;
        // Renewed each quarter of this.
        let slow = over(impatient(hosts.proxy.port(), PATIENCE), Duration::from_secs(4)).await;
        let held = slow.lock(Lock::Objects, Mode::Exclusive, "sweep", PATIENCE).await;
        let held = held.expect("free");
        let mut renewal = hosts.proxy.hold_up(|request| is_write(request, "locks/objects/"));
        renewal.arrived().await;
        let taken = hosts.take(Mode::Exclusive).await;
        renewal.release().await;
        let checked = held.check().await;
        assert!(matches!(checked, Err(StoreError::LeaseLost(_))), "{checked:?}");
        taken.check().await.expect("its own");
    }
}
