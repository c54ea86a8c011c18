//! Locks for object stores, which have none: objects that say who holds what, renewed while held.
//!
//! Taking one: write mine, list all; if another that is valid conflicts, remove mine and be told
//! who. Two that come at once may both give way, but never both stay. Whether a lease is valid is
//! judged by the object store's own clock: by how much older it is than the one just written.
//! Whoever finds one that ran out removes it first, so its holder sees that it is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use object_store::path::Path;
use tokio::task::AbortHandle;

use super::{Holder, Mode};
use crate::store::objects::Objects;
use crate::store::{StoreError, layout};

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
    text: Vec<u8>,
    /// The object was found gone.
    lost: Arc<AtomicBool>,
}

impl Own {
    async fn put(&self) -> Result<(), StoreError> {
        self.objects.put(&self.path, self.text.clone().into()).await
    }

    async fn is_there(&self) -> Result<bool, StoreError> {
        let there = self.objects.meta(&self.path).await?.is_some();
        self.lost.fetch_or(!there, Ordering::AcqRel);
        Ok(!self.lost.load(Ordering::Acquire))
    }

    async fn renew(self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            match self.is_there().await {
                Ok(true) => {}
                // Writing it again would take back what another may hold by now.
                Ok(false) => return,
                Err(_) => continue,
            }
            if let Err(error) = self.put().await {
                tracing::warn!(%error, "a lock could not be renewed");
            }
        }
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
        let path = Path::from(format!("{}/{name}/{}.json", layout::LOCKS, uuid::Uuid::new_v4()));
        let lost = Arc::default();
        let own = Own { name, objects: objects.clone(), path, text: holder.text(), lost };
        own.put().await?;
        match conflict(&own, holder.mode, expiry).await {
            Ok(None) => {
                let renewal = tokio::spawn(own.clone().renew(expiry / 4)).abort_handle();
                Ok(Self { own, renewal })
            }
            Ok(Some(holder)) => {
                own.objects.remove(&own.path).await?;
                Err(StoreError::Busy { lock: name, holder: Some(Box::new(holder)) })
            }
            Err(error) => {
                // It runs out by itself if this fails as well.
                let _ = own.objects.remove(&own.path).await;
                Err(error)
            }
        }
    }

    /// Fails if the lease ran out and was taken over.
    pub async fn check(&self) -> Result<(), StoreError> {
        if self.own.is_there().await? { Ok(()) } else { Err(StoreError::LeaseLost(self.own.name)) }
    }

    /// Gives the lock back now.
    pub async fn release(self) {
        self.renewal.abort();
        let _ = self.own.objects.remove(&self.own.path).await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
        let own = self.own.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { own.objects.remove(&own.path).await });
        }
    }
}

/// Another lease that is valid and does not go with mine; those that ran out are removed.
async fn conflict(own: &Own, mode: Mode, expiry: Duration) -> Result<Option<Holder>, StoreError> {
    let leases = own.objects.list(&format!("{}/{}", layout::LOCKS, own.name)).await?;
    let Some(mine) = leases.iter().find(|lease| lease.location == own.path) else {
        return Err(StoreError::LeaseLost(own.name));
    };
    for lease in leases.iter().filter(|lease| lease.location != own.path) {
        let age = mine.last_modified - lease.last_modified;
        if age.to_std().is_ok_and(|age| age > expiry) {
            own.objects.remove(&lease.location).await?;
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

    #[tokio::test]
    async fn a_suspended_holder_finds_that_its_lease_was_taken_over() {
        let (objects, short) = (memory(), Duration::from_millis(40));
        let suspended = hold(&objects, Mode::Exclusive, short).await.expect("free");
        suspended.renewal.abort();
        tokio::time::sleep(short * 3).await;
        let other = hold(&objects, Mode::Exclusive, short).await.expect("it ran out");
        let checked = suspended.check().await;
        assert!(matches!(checked, Err(StoreError::LeaseLost(_))), "{checked:?}");
        other.check().await.expect("held");
    }
}
