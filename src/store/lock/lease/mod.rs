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

mod lost;
mod object;

use std::collections::HashSet;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use object_store::path::Path;
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

use crate::store::backend::objects::Objects;
use crate::store::lock::{Holder, Mode};
use crate::store::{StoreError, layout};

pub use lost::Lost;

use object::{Own, marks};

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

/// A lease that is renewed in the background.
#[derive(Debug)]
pub struct Lease {
    own: Own,
    renewal: AbortHandle,
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
    use std::sync::Arc;

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
