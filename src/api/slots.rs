//! Slots for what takes its time: so many in all, and so many for each caller, so that nobody can
//! take all of them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use super::error::ApiError;
use crate::service::access::Identity;
use crate::threads::locked;

/// Streams of events that may be open at a time.
pub static STREAMS: LazyLock<Slots> = LazyLock::new(|| Slots::new(64, 16));
/// Downloads that may be under way at a time.
pub static DOWNLOADS: LazyLock<Slots> = LazyLock::new(|| Slots::new(8, 4));
/// Uploads that may be under way at a time.
pub static UPLOADS: LazyLock<Slots> = LazyLock::new(|| Slots::new(8, 4));

/// A number of slots. Cloning is cheap, and clones are one and the same.
#[derive(Debug, Clone)]
pub struct Slots(Arc<All>);

#[derive(Debug)]
struct All {
    most: usize,
    most_each: usize,
    taken: Mutex<HashMap<String, usize>>,
}

/// A slot that is taken; free again when this is dropped.
#[derive(Debug)]
pub struct Slot {
    all: Slots,
    name: String,
}

impl Slots {
    /// At most so many, and at most so many for each caller.
    #[must_use]
    pub fn new(most: usize, most_each: usize) -> Self {
        Self(Arc::new(All { most, most_each, taken: Mutex::default() }))
    }

    /// Takes a slot for this caller; nobody known is one caller, too. Where no tokens are asked for
    /// all callers are one, who may take every slot.
    ///
    /// # Errors
    /// [`ApiError::Overloaded`] if all are taken, [`ApiError::TooManyAtOnce`] if the caller has as
    /// many as one may have.
    pub fn take(&self, caller: Option<&Identity>) -> Result<Slot, ApiError> {
        let mut taken = locked(&self.0.taken);
        if taken.values().sum::<usize>() >= self.0.most {
            return Err(ApiError::Overloaded);
        }
        let name = caller.map_or_else(String::new, |caller| caller.name.clone());
        let limit =
            if caller.is_some_and(Identity::is_local) { self.0.most } else { self.0.most_each };
        let own = taken.entry(name.clone()).or_default();
        if *own >= limit {
            return Err(ApiError::TooManyAtOnce(limit));
        }
        *own += 1;
        Ok(Slot { all: self.clone(), name })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = locked(&self.all.0.taken);
        if let Some(own) = taken.get_mut(&self.name) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_the_slots_of_others() {
        let slots = Slots::new(3, 2);
        let (nobody, local) = (None, Identity::local());
        let first = slots.take(nobody).expect("a slot");
        let _second = slots.take(nobody).expect("a slot");
        assert!(matches!(slots.take(nobody), Err(ApiError::TooManyAtOnce(2))));
        let _third = slots.take(Some(&local)).expect("a slot");
        assert!(matches!(slots.take(Some(&local)), Err(ApiError::Overloaded)));
        drop(first);
        let _fourth = slots.take(Some(&local)).expect("where no tokens are, one may have all");
    }
}
