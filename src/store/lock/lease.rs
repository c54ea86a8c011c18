//! Locks for object stores, which have none: objects that say who holds what, renewed while held.
//!
//! Taking one: write mine, list all; if another that is valid conflicts, remove mine and be told
//! who. Two that come at once may both give way, but never both stay. Whether a lease is valid is
//! judged by the object store's own clock: by how much older it is than the one just written.
//!
//! Whoever finds one that ran out ends it: first with a mark, which stays, then by removing the
//! lease. A request of its holder that arrives late may write the lease again, but not take the mark
//! away, so an ended lease stays ended. Where nothing may be removed the holder leaves the mark itself
//! when it is done, and the lease stays.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use object_store::ObjectMeta;
use object_store::path::Path;
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::store::backend::objects::Objects;
use crate::store::lock::{Holder, Mode};
use crate::store::{StoreError, layout};

/// Leases that were dropped, and are given back in the background.
static RELEASES: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);

/// Waits until all leases that were dropped are given back, but no longer than this: one that is not has
/// to run out, and bars others meanwhile.
pub async fn released(patience: Duration) {
    RELEASES.close();
    // What is not given back by then runs out.
    let _ = tokio::time::timeout(patience, RELEASES.wait()).await;
}

/// Marks of ended leases are kept for so long: longer than any request of their holders is accepted.
const MARK_AGE: Duration = Duration::from_hours(24);

/// The longest pause before another look at a listing that lags behind.
const LISTING_LAG: Duration = Duration::from_secs(4);

/// A lease that is renewed in the background.
#[derive(Debug)]
pub struct Lease {
    own: Own,
    renewal: AbortHandle,
}

#[derive(Debug, Clone)]
struct Own {
    name: &'static str,
    objects: Objects,
    path: Path,
    /// Where others leave the mark that ends it.
    mark: Path,
    text: Vec<u8>,
    /// It was found ended.
    lost: Arc<AtomicBool>,
}

/// The folder of the marks: beside that of the leases, where nobody takes them for leases.
fn marks(name: &str) -> String {
    format!("{}/{name}.ended", layout::LOCKS)
}

impl Own {
    fn new(objects: &Objects, name: &'static str, holder: &Holder) -> Self {
        let file = format!("{}.json", Uuid::new_v4());
        Self {
            name,
            objects: objects.clone(),
            path: Path::from(format!("{}/{name}/{file}", layout::LOCKS)),
            mark: Path::from(format!("{}/{file}", marks(name))),
            text: holder.text(),
            lost: Arc::default(),
        }
    }

    async fn put(&self) -> Result<(), StoreError> {
        self.objects.put(&self.path, self.text.clone().into()).await
    }

    async fn is_ours(&self) -> Result<bool, StoreError> {
        let (there, ended) =
            futures::try_join!(self.objects.meta(&self.path), self.objects.meta(&self.mark))?;
        self.lost.fetch_or(there.is_none() || ended.is_some(), Ordering::AcqRel);
        Ok(!self.lost.load(Ordering::Acquire))
    }

    async fn renew(self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            match self.is_ours().await {
                Ok(true) => {}
                // Writing it again would take back what another may hold by now.
                Ok(false) => return,
                Err(_) => continue,
            }
            if let Err(error) = self.put().await {
                tracing::warn!(%error, "could not renew a lock");
            }
        }
    }

    /// Ends it: it is gone afterwards or, where nothing may be removed, marked.
    async fn end(&self) -> Result<(), StoreError> {
        if self.objects.may_remove() {
            match self.objects.remove(&self.path).await {
                Err(error) if error.is_refused() => {}
                removed => return removed,
            }
        }
        self.objects.put(&self.mark, self.text.clone().into()).await
    }

    /// Removes a lease that is ended already; where that may not be it stays, and bars nobody.
    async fn remove_ended(&self, lease: &Path) -> Result<(), StoreError> {
        if !self.objects.may_remove() {
            return Ok(());
        }
        match self.objects.remove(lease).await {
            Err(error) if error.is_refused() => Ok(()),
            removed => removed,
        }
    }

    /// The leases, mine among them, and the marks of those that are ended.
    async fn listed(&self) -> Result<(Vec<ObjectMeta>, Vec<ObjectMeta>), StoreError> {
        let (leases, ended) = (format!("{}/{}", layout::LOCKS, self.name), marks(self.name));
        let mut pause = Duration::from_millis(100);
        loop {
            let listed = futures::try_join!(self.objects.list(&leases), self.objects.list(&ended))?;
            if listed.0.iter().any(|lease| lease.location == self.path) {
                return Ok(listed);
            }
            // Either it was removed, or the listing lags behind.
            if pause > LISTING_LAG || self.objects.meta(&self.path).await?.is_none() {
                return Err(self.is_lost().await);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    async fn is_lost(&self) -> StoreError {
        let by = self.objects.find(&self.mark).await.ok().flatten();
        let by = by.and_then(|text| serde_json::from_slice::<Holder>(&text).ok());
        StoreError::LeaseLost(Lost { lock: self.name, by: by.map(Box::new) })
    }
}

/// A lease that ran out, and who ended it.
#[derive(Debug)]
pub struct Lost {
    /// The lock's name.
    pub lock: &'static str,
    /// Who found that it had run out, if that is known.
    pub by: Option<Box<Holder>>,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the lock {:?} was lost: its lease was not renewed in time, as happens to a process ",
            self.lock
        )?;
        f.write_str("that was suspended or could not reach the store; ")?;
        if let Some(by) = &self.by {
            write!(f, "it was ended by {by}; ")?;
        }
        f.write_str("what was published before is whole, so run the command again")
    }
}

impl Lease {
    /// Takes the lock at once, or says who has it.
    pub async fn hold(
        objects: &Objects,
        name: &'static str,
        holder: &Holder,
        expiry: Duration,
    ) -> Result<Self, StoreError> {
        let own = Own::new(objects, name, holder);
        own.put().await?;
        match conflict(&own, holder.mode, expiry).await {
            Ok(None) => {
                let renewal = tokio::spawn(own.clone().renew(expiry / 4)).abort_handle();
                Ok(Self { own, renewal })
            }
            Ok(Some(holder)) => {
                own.end().await?;
                Err(StoreError::Busy { lock: name, holder: Some(Box::new(holder)) })
            }
            Err(error) => {
                // It runs out by itself if this fails as well.
                let _ = own.end().await;
                Err(error)
            }
        }
    }

    /// Fails if the lease ran out and was taken over.
    pub async fn check(&self) -> Result<(), StoreError> {
        if self.own.is_ours().await? { Ok(()) } else { Err(self.own.is_lost().await) }
    }

    /// The time by the object store's clock, which all hosts share. Renews the lease.
    pub async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        self.check().await?;
        self.own.put().await?;
        match self.own.objects.meta(&self.own.path).await? {
            Some(meta) => Ok(meta.last_modified),
            None => Err(self.own.is_lost().await),
        }
    }

    /// Removes the marks of leases that were ended long ago; says how many.
    pub async fn tidy_marks(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut removed = 0;
        let (leases, marks) = self.own.listed().await?;
        let leases: HashSet<_> = leases.iter().map(|lease| &lease.location).collect();
        for mark in marks {
            let age = now - mark.last_modified;
            if age.to_std().is_ok_and(|age| age > MARK_AGE) {
                let file = mark.location.filename().unwrap_or_default();
                let lease = Path::from(format!("{}/{}/{file}", layout::LOCKS, self.own.name));
                // The lease first: without the mark it would count again.
                if leases.contains(&lease) {
                    self.own.objects.remove(&lease).await?;
                }
                self.own.objects.remove(&mark.location).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Gives the lock back now.
    pub async fn release(self) {
        self.renewal.abort();
        let _ = self.own.end().await;
        self.own.lost.store(true, Ordering::Release);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
        let own = self.own.clone();
        if own.lost.load(Ordering::Acquire) {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            RELEASES.spawn_on(async move { own.end().await }, &runtime);
        }
    }
}

/// Another lease that is valid and does not go with mine; those that ran out are ended.
async fn conflict(own: &Own, mode: Mode, expiry: Duration) -> Result<Option<Holder>, StoreError> {
    let (leases, ended) = own.listed().await?;
    let ended: HashSet<_> = ended.iter().filter_map(|mark| mark.location.filename()).collect();
    let Some(mine) = leases.iter().find(|lease| lease.location == own.path) else {
        return Err(own.is_lost().await);
    };
    for lease in leases.iter().filter(|lease| lease.location != own.path) {
        let file = lease.location.filename().unwrap_or_default();
        let age = mine.last_modified - lease.last_modified;
        if ended.contains(file) {
            // Written again by a request that arrived late, or not to be removed.
            own.remove_ended(&lease.location).await?;
            continue;
        }
        if age.to_std().is_ok_and(|age| age > expiry) {
            let mark = Path::from(format!("{}/{file}", marks(own.name)));
            own.objects.put(&mark, own.text.clone().into()).await?;
            own.remove_ended(&lease.location).await?;
            continue;
        }
        let Some(text) = own.objects.find(&lease.location).await? else {
            continue;
        };
        let Ok(holder) = serde_json::from_slice::<Holder>(&text) else {
            return Err(StoreError::Busy { lock: own.name, holder: None });
        };
        if mode == Mode::Exclusive || holder.mode == Mode::Exclusive {
            return Ok(Some(holder));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Objects {
        Objects::new(Arc::new(object_store::memory::InMemory::new()), None)
    }

    async fn hold(objects: &Objects, mode: Mode, expiry: Duration) -> Result<Lease, StoreError> {
        Lease::hold(objects, "objects", &Holder::this("test", mode), expiry).await
    }

    #[tokio::test]
    async fn who_shares_bars_who_wants_it_alone_and_the_other_way_round() {
        let (objects, long) = (memory(), Duration::from_mins(1));
        let one = hold(&objects, Mode::Shared, long).await.expect("free");
        let two = hold(&objects, Mode::Shared, long).await.expect("shared");
        let alone = hold(&objects, Mode::Exclusive, long).await;
        assert!(matches!(alone, Err(StoreError::Busy { .. })), "{alone:?}");
        one.release().await;
        two.release().await;
        let alone = hold(&objects, Mode::Exclusive, long).await.expect("free again");
        let shared = hold(&objects, Mode::Shared, long).await;
        assert!(matches!(shared, Err(StoreError::Busy { .. })), "{shared:?}");
        alone.release().await;
    }

    #[tokio::test]
    async fn a_lease_that_is_renewed_outlives_its_time() {
        let (objects, short) = (memory(), Duration::from_millis(200));
        let alone = hold(&objects, Mode::Exclusive, short).await.expect("free");
        tokio::time::sleep(short * 3).await;
        assert!(hold(&objects, Mode::Exclusive, short).await.is_err());
        alone.check().await.expect("still held");
    }

    /// A lease whose holder no longer renews it, once it has run out and another has the lock.
    async fn lost(objects: &Objects) -> (Lease, Lease) {
        let short = Duration::from_millis(40);
        let suspended = hold(objects, Mode::Exclusive, short).await.expect("free");
        suspended.renewal.abort();
        loop {
            match hold(objects, Mode::Exclusive, short).await {
                Ok(other) => return (suspended, other),
                Err(StoreError::Busy { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[tokio::test]
    async fn a_suspended_holder_finds_that_its_lease_was_taken_over() {
        let objects = memory();
        let (suspended, other) = lost(&objects).await;
        let checked = suspended.check().await;
        assert!(matches!(checked, Err(StoreError::LeaseLost(_))), "{checked:?}");
        let message = checked.expect_err("lost").to_string();
        assert!(message.contains("it was ended by test (process "), "{message}");
        other.check().await.expect("held");
    }

    #[tokio::test]
    async fn a_lease_that_a_late_request_writes_again_stays_ended() {
        let objects = memory();
        let (suspended, other) = lost(&objects).await;
        // As when a renewal was on its way while another host took the lock.
        suspended.own.put().await.expect("written");
        let checked = suspended.check().await;
        assert!(matches!(checked, Err(StoreError::LeaseLost(_))), "{checked:?}");
        other.release().await;
        let next = hold(&objects, Mode::Exclusive, Duration::from_mins(1)).await;
        next.expect("an ended lease bars nobody").check().await.expect("held");
    }

    #[tokio::test]
    async fn a_lease_with_any_bit_flipped_bars_others_still() {
        let (objects, long) = (memory(), Duration::from_mins(1));
        let held = hold(&objects, Mode::Exclusive, long).await.expect("free");
        let text = objects.find(&held.own.path).await.expect("read").expect("there");
        for bit in 0..text.len() * 8 {
            let mut flipped = text.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            objects.put(&held.own.path, flipped.into()).await.expect("written");
            let other = hold(&objects, Mode::Shared, long).await;
            assert!(matches!(other, Err(StoreError::Busy { .. })), "bit {bit}: {other:?}");
        }
        held.check().await.expect("still held");
    }

    #[tokio::test]
    async fn marks_of_ended_leases_are_removed_after_a_day() {
        let objects = memory();
        let (suspended, other) = lost(&objects).await;
        let now = other.now().await.expect("a time");
        assert_eq!(other.tidy_marks(now).await.expect("tidied"), 0);
        assert!(suspended.check().await.is_err());
        let later = now + chrono::Duration::days(2);
        assert_eq!(other.tidy_marks(later).await.expect("tidied"), 1);
    }
}
