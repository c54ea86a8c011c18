//! Who calls, as of now.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::engine::Clock;
use crate::service::access::{Gate, Identity, NotLetIn, Throttle, throttle};

/// How often it is looked whether who was let in still would be.
pub const ACCESS_LOOK: Duration = Duration::from_millis(200);

/// Tells callers apart, by the service's clock. Cloning is cheap.
#[derive(Clone)]
pub struct Callers {
    gate: Arc<Gate>,
    clock: Clock,
}

impl Callers {
    #[must_use]
    pub fn new(gate: Gate, clock: Clock) -> Self {
        Self { gate: Arc::new(gate), clock }
    }

    /// Whoever calls with this token.
    ///
    /// # Errors
    /// If they are not to be let in.
    pub fn admit(&self, token: Option<&str>) -> Result<Identity, NotLetIn> {
        self.gate.admit(token, (self.clock)())
    }

    /// Returns whether everybody is let in. Where that cannot be told, nobody is.
    #[must_use]
    pub fn are_all_let_in(&self) -> bool {
        self.gate.is_open().unwrap_or(false)
    }

    /// Returns whether this caller would still be let in.
    #[must_use]
    pub fn still_known(&self, caller: &Identity) -> bool {
        self.gate.still_knows(caller, (self.clock)())
    }

    /// Returns once this caller would not be let in any more.
    pub async fn lost(&self, caller: &Identity) {
        loop {
            tokio::time::sleep(ACCESS_LOOK).await;
            if !self.still_known(caller) {
                return;
            }
        }
    }
}

/// Limits how many refusals of unknown callers are written down, as a flood of them costs writes.
/// Cloning is cheap.
#[derive(Clone)]
pub struct Refusals(Arc<Flood>);

struct Flood {
    limit: Throttle,
    /// Refusals that were not written down since the last one that was.
    unlisted: AtomicU64,
}

impl Default for Refusals {
    fn default() -> Self {
        let limit = throttle(20, Duration::from_secs(10));
        Self(Arc::new(Flood { limit, unlisted: AtomicU64::new(0) }))
    }
}

impl Refusals {
    /// Returns how many were not written down since the last one that was, if one more may be.
    #[must_use]
    pub fn may_list(&self) -> Option<u64> {
        if self.0.limit.check().is_ok() {
            return Some(self.0.unlisted.swap(0, Ordering::Relaxed));
        }
        self.0.unlisted.fetch_add(1, Ordering::Relaxed);
        None
    }
}
