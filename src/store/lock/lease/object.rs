//! The object of a lease, and the mark that ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use object_store::ObjectMeta;
use object_store::path::Path;
use uuid::Uuid;

use crate::store::backend::objects::Objects;
use crate::store::lock::Holder;
use crate::store::lock::lease::Lost;
use crate::store::{StoreError, layout};

/// The longest pause before another look at a listing that lags behind.
const LISTING_LAG: Duration = Duration::from_secs(4);

/// The lease of this process: one object.
#[derive(Debug, Clone)]
pub struct Own {
    /// The lock's name.
    pub name: &'static str,
    pub objects: Objects,
    pub path: Path,
    /// The place where others leave the mark that ends it.
    mark: Path,
    /// The holder, as written.
    pub text: Vec<u8>,
    /// It was found ended.
    pub lost: Arc<AtomicBool>,
}

/// The folder of the marks: beside that of the leases, where nobody takes them for leases.
pub fn marks(name: &str) -> String {
    format!("{}/{name}.ended", layout::LOCKS)
}

impl Own {
    pub fn new(objects: &Objects, name: &'static str, holder: &Holder) -> Self {
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

    pub async fn put(&self) -> Result<(), StoreError> {
        self.objects.put(&self.path, self.text.clone().into()).await
    }

    pub async fn is_ours(&self) -> Result<bool, StoreError> {
        let (there, ended) =
            futures::try_join!(self.objects.meta(&self.path), self.objects.meta(&self.mark))?;
        self.lost.fetch_or(there.is_none() || ended.is_some(), Ordering::AcqRel);
        Ok(!self.lost.load(Ordering::Acquire))
    }

    pub async fn renew(self, every: Duration) {
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
    pub async fn end(&self) -> Result<(), StoreError> {
        if self.objects.may_remove() {
            match self.objects.remove(&self.path).await {
                Err(error) if error.is_refused() => {}
                removed => return removed,
            }
        }
        self.objects.put(&self.mark, self.text.clone().into()).await
    }

    /// Removes a lease that is ended already; where that may not be it stays, and bars nobody.
    pub async fn remove_ended(&self, lease: &Path) -> Result<(), StoreError> {
        if !self.objects.may_remove() {
            return Ok(());
        }
        match self.objects.remove(lease).await {
            Err(error) if error.is_refused() => Ok(()),
            removed => removed,
        }
    }

    /// The leases, mine among them, and the marks of those that are ended.
    pub async fn listed(&self) -> Result<(Vec<ObjectMeta>, Vec<ObjectMeta>), StoreError> {
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

    pub async fn is_lost(&self) -> StoreError {
        let by = self.objects.find(&self.mark).await.ok().flatten();
        let by = by.and_then(|text| serde_json::from_slice::<Holder>(&text).ok());
        StoreError::LeaseLost(Lost { lock: self.name, by: by.map(Box::new) })
    }
}
