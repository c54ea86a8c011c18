//! Read, change, write: one small object at a time, so that no process loses what another wrote.
//!
//! In a folder a lock of the operating system stands around the three; elsewhere the object store
//! refuses the write if the object has changed since it was read, and all three are done again. An object
//! store that does not is changed under a lease.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path as FilePath;
use std::time::{Duration, Instant};

use bytes::Bytes;
use object_store::path::Path;

use crate::store::lock::{Held, open_lock};
use crate::store::{Store, StoreError, layout, lock};

/// Wait for others that change a small object; each holds the lock for milliseconds.
const WAIT: Duration = Duration::from_secs(10);
/// Attempts before giving up, where others keep changing the object.
const TRIES: u32 = 200;

/// Content of an object, or why it cannot be read: it is as good as damaged then.
pub type Read = Result<Bytes, String>;

/// Change of an object.
pub enum Swap {
    /// It stays as it is.
    Keep,
    /// It is replaced by this.
    Write(Bytes),
}

/// The right to change small objects, as long as it lives: within this process, and in a folder
/// among all.
pub struct Alone<'s> {
    _here: tokio::sync::MutexGuard<'s, ()>,
    _everywhere: Option<File>,
    lease: Option<Held>,
}

impl Alone<'_> {
    /// Gives the right back and waits until that is done: a lease that is dropped may have to run out.
    pub async fn release(self) {
        if let Some(lease) = self.lease {
            lease.release().await;
        }
    }
}

impl Store {
    /// Waits until no other process changes a small object of this folder, and none of this process
    /// one of this store.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if another holds the lock for too long.
    pub(in crate::store) async fn alone(&self) -> Result<Alone<'_>, StoreError> {
        let here = self.0.states.lock().await;
        let everywhere = match &self.objects().folder {
            Some(folder) => Some(lock_folder(folder).await?),
            None => None,
        };
        let lease = if everywhere.is_none() && !self.objects().honours_conditions() {
            lock::hold_states(self.objects(), &self.0.locks).await?
        } else {
            None
        };
        Ok(Alone { _here: here, _everywhere: everywhere, lease })
    }

    /// Replaces an object by what `change` makes of it, and returns what `change` returns. `change`
    /// may be called several times; what counts is its last call.
    ///
    /// # Errors
    /// What `change` fails with; [`StoreError::Busy`]; if the object store fails.
    pub(in crate::store) async fn swap<T>(
        &self,
        _alone: &Alone<'_>,
        path: &Path,
        mut change: impl FnMut(Option<Read>) -> Result<(Swap, T), StoreError> + Send,
    ) -> Result<T, StoreError> {
        for attempt in 0..TRIES {
            let (bytes, version) = match self.objects().find_version(path).await {
                Err(error) if self.objects().is_unreadable(&error) => {
                    (Some(Err(error.cannot_be_read())), None)
                }
                found => {
                    let (bytes, version) = found?.unzip();
                    (bytes.map(Ok), version)
                }
            };
            let (swap, result) = change(bytes)?;
            let Swap::Write(bytes) = swap else { return Ok(result) };
            let written = if self.objects().folder.is_some() {
                self.objects().put(path, bytes).await
            } else {
                self.objects().replace(path, bytes, version).await
            };
            match written {
                Err(error) if error.is_taken() => {
                    tokio::time::sleep(Duration::from_millis(u64::from(attempt.min(20)))).await;
                }
                written => return written.map(|()| result),
            }
        }
        Err(StoreError::Busy { lock: "states", holder: None })
    }
}

async fn lock_folder(folder: &FilePath) -> Result<File, StoreError> {
    let doing = || format!("locking the small files of {}", folder.display());
    let file = open(folder).map_err(StoreError::io(doing()))?;
    let (start, mut pause) = (Instant::now(), Duration::from_millis(1));
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if start.elapsed() < WAIT => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Busy { lock: "states", holder: None });
            }
            Err(TryLockError::Error(source)) => return Err(StoreError::io(doing())(source)),
        }
    }
}

/// Opens what is locked: `locks/states` or, where no such file can be made (nothing is left of space
/// or inodes, or the store is only read), the store's folder itself.
fn open(folder: &FilePath) -> io::Result<File> {
    let path = folder.join(layout::LOCKS).join(layout::STATES_LOCK);
    open_lock(folder, &path).or_else(|_| File::open(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lock_without_a_file_of_its_own_is_taken_on_the_folder() {
        let store = tempfile::tempdir().expect("a folder");
        // A file in the place of the folder of the locks: nothing can be made there.
        std::fs::write(store.path().join(layout::LOCKS), "").expect("written");
        let held = lock_folder(store.path()).await.expect("free");
        assert!(matches!(
            File::open(store.path()).expect("a folder").try_lock(),
            Err(TryLockError::WouldBlock)
        ));
        drop(held);
        lock_folder(store.path()).await.expect("free again");
    }
}
