//! An answer that is good for a while. Who asks meanwhile gets the same one, so however often it is
//! asked for, the work behind it is done once.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// The latest answer.
#[derive(Debug)]
pub struct Cached<T> {
    good_for: Duration,
    latest: Mutex<Option<(Instant, T)>>,
}

impl<T: Clone> Cached<T> {
    /// Answers are good for so long.
    pub fn for_long(good_for: Duration) -> Self {
        Self { good_for, latest: Mutex::default() }
    }

    /// The latest answer, or a new one if that is too old.
    pub async fn get(&self, anew: impl Future<Output = T>) -> T {
        let mut latest = self.latest.lock().await;
        if let Some((at, answer)) = &*latest
            && at.elapsed() < self.good_for
        {
            return answer.clone();
        }
        let answer = anew.await;
        *latest = Some((Instant::now(), answer.clone()));
        answer
    }

    /// Takes an answer that was found in another way just now.
    pub async fn put(&self, answer: T) {
        *self.latest.lock().await = Some((Instant::now(), answer));
    }

    /// Things have changed: the next who asks gets a new answer.
    pub async fn forget(&self) {
        *self.latest.lock().await = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_work_is_done_once_until_things_change() {
        let cached = Cached::for_long(Duration::from_hours(1));
        assert_eq!(cached.get(async { 1 }).await, 1);
        assert_eq!(cached.get(async { unreachable!("asked again") }).await, 1);
        cached.forget().await;
        assert_eq!(cached.get(async { 2 }).await, 2);
    }
}
