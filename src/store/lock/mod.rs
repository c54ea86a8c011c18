//! Locks that keep operations apart. A folder has locks of the operating system, which a killed
//! process cannot leave behind; elsewhere leases stand in, which run out.

mod folder;
mod lease;

use std::fmt;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use folder::{make_files, open_lock, tidy_notes};
pub use lease::{Lost, released};

use crate::model::rfc3339;
use crate::store::backend::objects::Objects;
use crate::store::{StoreError, layout};

/// Resource that is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Held alone by restore, cleanup and delete.
    Maintenance,
    /// Shared by whoever writes chunks and publishes; held alone by a sweep.
    Objects,
}

impl Lock {
    /// Its name in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Maintenance => "maintenance",
            Self::Objects => "objects",
        }
    }
}

/// Alone, or together with others that share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Others may share.
    Shared,
    /// Nobody else.
    Exclusive,
}

/// Holder of a lock: for people to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// Its operation, for example `restore of 20250920_143022`.
    pub what: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// Alone or shared.
    pub mode: Mode,
}

impl Holder {
    fn this(what: &str, mode: Mode) -> Self {
        let host = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned());
        Self {
            host: host.unwrap_or_else(|_| "unknown".into()),
            pid: std::process::id(),
            what: what.to_owned(),
            since: rfc3339(chrono::Utc::now()),
            mode,
        }
    }

    fn text(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a holder is plain data")
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {} on {}, since {})", self.what, self.pid, self.host, self.since)
    }
}

/// Wait of a change of a small object beyond the time in which a lease runs out.
const STATES_PATIENCE: Duration = Duration::from_secs(10);
/// After so long it is said who is waited for.
const SAY_AFTER: Duration = Duration::from_secs(5);

/// Kind of the locks of a store.
#[derive(Debug, Clone)]
pub enum LockKind {
    /// Locks of the operating system on files of the store's folder.
    Folder,
    /// Objects that say who holds what, valid for so long after they were last renewed.
    Lease(Duration),
}

impl LockKind {
    /// Leases that outlast a slow request, but not a coffee break.
    pub const LEASE: Self = Self::Lease(Duration::from_mins(2));
}

/// A lock that is held until this is dropped or released.
#[derive(Debug)]
pub struct Held(Kind);

#[derive(Debug)]
enum Kind {
    Folder(folder::Flock),
    Lease(lease::Lease),
}

impl Held {
    /// Checks that nobody can have taken the lock over, as can happen to a lease whose machine was
    /// suspended.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if so.
    pub async fn check(&self) -> Result<(), StoreError> {
        match &self.0 {
            Kind::Folder(_) => Ok(()),
            Kind::Lease(lease) => lease.check().await,
        }
    }

    /// The time by the clock that all who use the store share: the object store's where there are
    /// leases, this machine's for a folder.
    ///
    /// # Errors
    /// As [`Self::check`]; if the object store fails.
    pub async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        match &self.0 {
            Kind::Folder(_) => Ok(Utc::now()),
            Kind::Lease(lease) => lease.now().await,
        }
    }

    /// Removes what ended leases left long ago; says how many objects.
    pub(in crate::store) async fn tidy(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        match &self.0 {
            Kind::Folder(_) => Ok(0),
            Kind::Lease(lease) => lease.tidy_marks(now).await,
        }
    }

    /// Gives the lock back and waits until that is done. Dropping does it in the background, which
    /// a process that ends at once may not live to see; a lease then has to run out.
    pub async fn release(self) {
        match self.0 {
            Kind::Folder(flock) => drop(flock),
            Kind::Lease(lease) => lease.release().await,
        }
    }
}

/// Takes a lock, or says who has it.
pub async fn try_hold(
    objects: &Objects,
    kind: &LockKind,
    lock: Lock,
    mode: Mode,
    what: &str,
) -> Result<Held, StoreError> {
    let holder = Holder::this(what, mode);
    match (kind, &objects.folder) {
        (LockKind::Folder, Some(folder)) => {
            folder::Flock::hold(folder, lock.name(), &holder).map(|flock| Held(Kind::Folder(flock)))
        }
        (LockKind::Lease(expiry), _) => {
            let lease = lease::Lease::hold(objects, lock.name(), &holder, *expiry).await?;
            Ok(Held(Kind::Lease(lease)))
        }
        (LockKind::Folder, None) => unreachable!("only a store in a folder has locks there"),
    }
}

/// Takes the lease around changes of small objects, for object stores without conditional writes. Each
/// holds it for a few requests; that of a killed process has to run out.
pub async fn hold_states(objects: &Objects, kind: &LockKind) -> Result<Option<Held>, StoreError> {
    let LockKind::Lease(expiry) = kind else { return Ok(None) };
    let holder = Holder::this("a change of a small object", Mode::Exclusive);
    let (start, mut pause) = (Instant::now(), Duration::from_millis(20));
    loop {
        match lease::Lease::hold(objects, layout::STATES_LOCK, &holder, *expiry).await {
            Err(StoreError::Busy { .. }) if start.elapsed() < *expiry + STATES_PATIENCE => {
                tokio::time::sleep(jittered(pause)).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
            held => return held.map(|lease| Some(Held(Kind::Lease(lease)))),
        }
    }
}

/// Two that give way to each other must not come again at the same time.
fn jittered(pause: Duration) -> Duration {
    let [byte] = uuid::Uuid::new_v4().as_bytes()[..1] else { return pause };
    pause / 2 + pause * u32::from(byte) / 256
}

/// As [`try_hold`], but waits so long for others to finish.
pub async fn hold(
    objects: &Objects,
    kind: &LockKind,
    lock: Lock,
    mode: Mode,
    what: &str,
    patience: Duration,
) -> Result<Held, StoreError> {
    let start = Instant::now();
    let (mut pause, mut said) = (Duration::from_millis(20), false);
    loop {
        match try_hold(objects, kind, lock, mode, what).await {
            Err(busy @ StoreError::Busy { .. }) if start.elapsed() + pause < patience => {
                if !said && start.elapsed() >= SAY_AFTER {
                    said = true;
                    tracing::warn!("waiting for a lock: {busy}");
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
            done => return done,
        }
    }
}
