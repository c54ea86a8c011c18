//! How often something may happen: a bucket that refills with time.

use std::sync::Mutex;

use chrono::{DateTime, Duration, Utc};

use crate::threads::locked;

/// So many at once, and then one each `refill`.
#[derive(Debug)]
pub struct Throttle {
    burst: u16,
    refill: Duration,
    /// Until when the bucket's content is spoken for.
    spent_until: Mutex<Option<DateTime<Utc>>>,
}

impl Throttle {
    /// A full bucket.
    #[must_use]
    pub fn new(burst: u16, refill: Duration) -> Self {
        Self { burst, refill, spent_until: Mutex::default() }
    }

    /// Takes one if there is one, and else says how long to wait for it.
    ///
    /// # Errors
    /// The time until there is one again.
    pub fn take(&self, now: DateTime<Utc>) -> Result<(), Duration> {
        let mut spent = locked(&self.spent_until);
        let full = self.refill * i32::from(self.burst);
        // A clock that was turned back must not close the door for long.
        let until = spent.unwrap_or(now).clamp(now, now + full) + self.refill;
        if until - now > full {
            return Err(until - now - full);
        }
        *spent = Some(until);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_at_a_time() {
        let throttle = Throttle::new(3, Duration::seconds(2));
        let start: DateTime<Utc> = "2025-09-20T14:30:22Z".parse().expect("a time");
        for _ in 0..3 {
            assert_eq!(throttle.take(start), Ok(()));
        }
        assert_eq!(throttle.take(start), Err(Duration::seconds(2)));
        assert_eq!(throttle.take(start + Duration::seconds(1)), Err(Duration::seconds(1)));
        assert_eq!(throttle.take(start + Duration::seconds(2)), Ok(()));
        assert!(throttle.take(start + Duration::seconds(2)).is_err());
    }

    #[test]
    fn a_clock_that_is_turned_back_closes_the_door_for_a_burst_at_most() {
        let throttle = Throttle::new(1, Duration::seconds(2));
        let start: DateTime<Utc> = "2025-09-20T14:30:22Z".parse().expect("a time");
        assert_eq!(throttle.take(start), Ok(()));
        assert_eq!(throttle.take(start - Duration::days(9)), Err(Duration::seconds(2)));
    }
}
