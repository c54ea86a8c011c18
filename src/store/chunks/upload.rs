//! Takes full packs off the writing threads and stores them in the background.

use std::sync::Mutex;

use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::JoinHandle;

use crate::store::backend::objects::Objects;
use crate::store::format::index_file::PackEntries;
use crate::store::format::pack::Pack;
use crate::store::{StoreError, layout};
use crate::threads::locked;

/// Packs that are stored at the same time; with one waiting and one being filled, so many times
/// the size of a pack is the memory that a writer takes.
const AT_ONCE: usize = 2;

type Outcome = Result<Vec<PackEntries>, StoreError>;

/// The background task, until its outcome is taken.
#[derive(Debug)]
pub struct Uploader {
    queue: Mutex<Option<Sender<Pack>>>,
    task: Mutex<Option<JoinHandle<Outcome>>>,
    runtime: tokio::runtime::Handle,
}

impl Uploader {
    pub fn start(objects: Objects, runtime: &tokio::runtime::Handle) -> Self {
        let (queue, mut packs) = channel(1);
        let task = runtime.spawn(async move {
            let packs = stream::poll_fn(move |context| packs.poll_recv(context));
            packs.map(|pack| store(&objects, pack)).buffer_unordered(AT_ONCE).try_collect().await
        });
        Self {
            queue: Mutex::new(Some(queue)),
            task: Mutex::new(Some(task)),
            runtime: runtime.clone(),
        }
    }

    fn queue(&self) -> Result<Sender<Pack>, StoreError> {
        let queue = locked(&self.queue);
        queue.clone().ok_or(StoreError::WriterClosed)
    }

    /// Hands over a pack; blocks while too many wait.
    ///
    /// # Errors
    /// Why an earlier pack could not be stored; told once.
    pub fn send(&self, pack: Pack) -> Result<(), StoreError> {
        if self.queue()?.blocking_send(pack).is_ok() {
            return Ok(());
        }
        self.runtime.block_on(self.outcome()).and(Err(StoreError::WriterClosed))
    }

    /// Hands over the last pack and waits until all are durable.
    pub async fn finish(&self, last: Option<Pack>) -> Outcome {
        if let Some(pack) = last {
            // If the task has ended, its outcome says why.
            let _ = self.queue()?.send(pack).await;
        }
        locked(&self.queue).take();
        self.outcome().await
    }

    async fn outcome(&self) -> Outcome {
        let task = locked(&self.task).take();
        let outcome = task.ok_or(StoreError::WriterClosed)?.await;
        outcome.unwrap_or_else(|cancelled| {
            tracing::error!(%cancelled, "storing packs was cut off");
            Err(StoreError::WriterClosed)
        })
    }
}

async fn store(objects: &Objects, pack: Pack) -> Result<PackEntries, StoreError> {
    let Pack { id, bytes, entries } = pack;
    let size = bytes.len() as u64;
    // Nobody else writes a pack of this name, and nobody has removed one.
    objects.put(&layout::pack(&id), bytes).await?;
    Ok(PackEntries { pack: id, size, entries: entries.into() })
}
