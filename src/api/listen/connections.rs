//! The connections that are open: bounded in number. When all places are taken, the one that has
//! been idle longest makes room, so a crowd that only holds on cannot keep others out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::threads::locked;

/// All open connections.
#[derive(Debug, Clone)]
pub struct Connections(Arc<All>);

#[derive(Debug)]
struct All {
    limit: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    places: BTreeMap<u64, Arc<State>>,
}

#[derive(Debug)]
struct State {
    /// Requests that are being answered.
    busy: AtomicU32,
    /// Requests whose head came whole.
    requests: AtomicU64,
    idle_since: Mutex<Instant>,
    /// The place is needed by another.
    evicted: CancellationToken,
}

/// A place among the connections, free again when this is dropped.
#[derive(Debug)]
pub struct ConnectionPermit {
    number: u64,
    all: Connections,
    state: Arc<State>,
}

/// A request is being answered as long as this lives.
#[derive(Debug)]
pub struct Busy(Arc<State>);

impl Connections {
    /// At most so many at a time.
    pub fn at_most(limit: usize) -> Self {
        Self(Arc::new(All { limit, open: Mutex::default() }))
    }

    /// A place for a new connection; none if all are taken and busy. Says whether an idle one had
    /// to make room.
    pub fn take_place(&self) -> Option<(ConnectionPermit, bool)> {
        let mut open = self.open();
        let full = open.places.len() >= self.0.limit;
        if full {
            let idlest = open.places.iter().filter(|(_, state)| state.is_idle());
            let idlest = idlest.min_by_key(|(_, state)| state.idle_since());
            let number = idlest.map(|(number, _)| *number)?;
            let evicted = open.places.remove(&number).expect("it was just found");
            evicted.evicted.cancel();
        }
        let number = open.next;
        open.next += 1;
        let state = Arc::new(State {
            busy: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            idle_since: Mutex::new(Instant::now()),
            evicted: CancellationToken::new(),
        });
        open.places.insert(number, state.clone());
        Some((ConnectionPermit { number, all: self.clone(), state }, full))
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        locked(&self.0.open)
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.busy.load(Ordering::Relaxed) == 0
    }

    fn idle_since(&self) -> Instant {
        *locked(&self.idle_since)
    }
}

impl ConnectionPermit {
    /// Notes that a request is being answered.
    pub fn busy(&self) -> Busy {
        self.state.busy.fetch_add(1, Ordering::Relaxed);
        self.state.requests.fetch_add(1, Ordering::Relaxed);
        Busy(self.state.clone())
    }

    /// The number of requests so far.
    pub fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::Relaxed)
    }

    /// Whether no request is being answered.
    pub fn is_idle(&self) -> bool {
        self.state.is_idle()
    }

    /// Returns when the connection is to make room.
    pub fn evicted(&self) -> impl Future<Output = ()> + Send + 'static {
        self.state.evicted.clone().cancelled_owned()
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.all.open().places.remove(&self.number);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        *locked(&self.0.idle_since) = Instant::now();
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_evicted(place: &ConnectionPermit) -> bool {
        place.state.evicted.is_cancelled()
    }

    #[test]
    fn the_one_that_was_idle_longest_makes_room() {
        let all = Connections::at_most(2);
        let (first, _) = all.take_place().expect("a place");
        let (second, crowded) = all.take_place().expect("a place");
        assert!(!crowded);
        drop(first.busy());
        let (_third, crowded) = all.take_place().expect("a place");
        assert!(crowded && is_evicted(&second) && !is_evicted(&first));
    }

    #[test]
    fn one_that_is_being_answered_keeps_its_place() {
        let all = Connections::at_most(1);
        let (first, _) = all.take_place().expect("a place");
        let busy = first.busy();
        assert!(all.take_place().is_none());
        drop(busy);
        assert!(all.take_place().is_some() && is_evicted(&first));
    }

    #[test]
    fn a_place_that_is_left_is_free() {
        let all = Connections::at_most(1);
        drop(all.take_place().expect("a place"));
        assert!(all.take_place().is_some_and(|(_, crowded)| !crowded));
    }
}
