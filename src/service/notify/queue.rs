//! The notices that wait for one target: when which is tried, and when one is given up. No clock, no I/O.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::service::notify::notice::Notice;
use crate::service::notify::refusal::Refusal;

/// Notices that may wait; for a further one the oldest is dropped.
pub const MOST: usize = 64;
/// Each pause is so many times the one before.
const LONGER: u32 = 4;
/// The longest pause while a target may mend itself, in first pauses: a quarter of an hour.
const LONGEST: u32 = 900;
/// The longest pause after a refusal that does not mend itself: an hour.
const LONGEST_LASTING: u32 = 3600;
/// A notice is given up after so many first pauses: a day.
const GIVE_UP: u32 = 86_400;
/// The longest time that a target may ask for.
const LONGEST_ASKED: Duration = Duration::from_hours(24);

/// Notices that wait for a target, and the outcome of earlier ones. Kept over restarts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Queue {
    waiting: VecDeque<Waiting>,
    /// Failures since the last success.
    failures: u32,
    /// No attempt is made before.
    not_before: Option<DateTime<Utc>>,
    /// Notices that were dropped or given up since the last success.
    lost: u64,
    /// The latest refusal, until something is delivered.
    refusal: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Waiting {
    notice: Notice,
    since: DateTime<Utc>,
    not_before: Option<DateTime<Utc>>,
}

/// Next step of a queue.
#[derive(Debug)]
pub enum Next {
    /// Send this notice.
    Send(Box<Notice>),
    /// Nothing until then.
    Wait(Duration),
    /// Nothing waits.
    Nothing,
}

/// Outcome of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is tried again after this pause.
    Again(Duration),
    /// It is too old.
    GivenUp,
}

/// Condition of a target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// Notices that wait.
    pub waiting: usize,
    /// Notices that were dropped or given up since the last success.
    pub lost: u64,
    /// Why the latest attempt failed, if it did.
    pub refusal: Option<String>,
}

impl Queue {
    /// Adds a notice; returns whether the oldest one had to go for it.
    pub fn add(&mut self, notice: Notice, now: DateTime<Utc>) -> bool {
        let full = self.waiting.len() >= MOST;
        if full {
            self.waiting.pop_front();
            self.lost += 1;
        }
        self.waiting.push_back(Waiting { notice, since: now, not_before: None });
        full
    }

    /// Returns the next step at this time.
    pub fn next(&self, now: DateTime<Utc>) -> Next {
        let due = |waiting: &Waiting| self.not_before.max(waiting.not_before).unwrap_or(now);
        let Some(first) = self.waiting.iter().min_by_key(|waiting| due(waiting).max(now)) else {
            return Next::Nothing;
        };
        match (due(first) - now).to_std() {
            Ok(left) if !left.is_zero() => Next::Wait(left.min(LONGEST_ASKED)),
            _ => Next::Send(Box::new(first.notice.clone())),
        }
    }

    /// A notice was taken: whatever waits is tried at once.
    pub fn delivered(&mut self, delivery: Uuid) {
        self.waiting.retain(|waiting| waiting.notice.delivery_id != delivery);
        self.mended();
    }

    /// The target takes notices again.
    pub fn mended(&mut self) {
        for waiting in &mut self.waiting {
            waiting.not_before = None;
        }
        (self.failures, self.not_before, self.lost, self.refusal) = (0, None, 0, None);
    }

    /// A notice was refused.
    pub fn refused(
        &mut self,
        delivery: Uuid,
        refusal: &Refusal,
        now: DateTime<Utc>,
        first_pause: Duration,
    ) -> Fate {
        let step = if refusal.lasting {
            if self.failures == 0 { LONGEST } else { LONGEST_LASTING }
        } else {
            LONGER.saturating_pow(self.failures).min(LONGEST)
        };
        let asked = refusal.retry_after.map(|asked| asked.min(LONGEST_ASKED));
        let pause = asked.unwrap_or(first_pause.saturating_mul(step));
        let until = now + TimeDelta::from_std(pause).unwrap_or(TimeDelta::hours(24));
        self.refusal = Some(refusal.brief.clone());
        self.failures = self.failures.saturating_add(1);
        let place = self.waiting.iter().position(|it| it.notice.delivery_id == delivery);
        match place {
            // Others may be taken meanwhile.
            Some(place) if refusal.only_this => self.waiting[place].not_before = Some(until),
            _ => self.not_before = Some(until),
        }
        let age = |place: usize| (now - self.waiting[place].since).to_std().unwrap_or_default();
        match place {
            Some(place) if age(place) >= first_pause.saturating_mul(GIVE_UP) => {
                self.waiting.remove(place);
                self.lost += 1;
                Fate::GivenUp
            }
            _ => Fate::Again(pause),
        }
    }

    /// Returns its condition.
    pub fn condition(&self) -> Condition {
        Condition { waiting: self.waiting.len(), lost: self.lost, refusal: self.refusal.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::notify::notice::Event;

    const SECOND: Duration = Duration::from_secs(1);

    fn now() -> DateTime<Utc> {
        "2025-09-20T14:30:00Z".parse().expect("a time")
    }

    fn queue(number: usize) -> Queue {
        let mut queue = Queue::default();
        for number in 0..number {
            queue.add(Notice::new(Event::Overdue, number.to_string(), now()), now());
        }
        queue
    }

    fn sent(queue: &Queue, now: DateTime<Utc>) -> Option<Notice> {
        match queue.next(now) {
            Next::Send(notice) => Some(*notice),
            _ => None,
        }
    }

    #[test]
    fn refused_notice_is_tried_for_a_day_with_growing_pauses() {
        let mut queue = queue(1);
        let (mut time, mut pauses) = (now(), Vec::new());
        let id = sent(&queue, time).expect("due").delivery_id;
        loop {
            let refusal = Refusal::passing("answered 503", "");
            let Fate::Again(pause) = queue.refused(id, &refusal, time, SECOND) else { break };
            assert!(sent(&queue, time).is_none(), "not before its pause is over");
            time += TimeDelta::from_std(pause).expect("short");
            assert_eq!(sent(&queue, time).expect("due").delivery_id, id);
            pauses.push(pause.as_secs());
        }
        assert_eq!(pauses[..7], [1, 4, 16, 64, 256, 900, 900]);
        assert!(time - now() >= TimeDelta::hours(24) && time - now() < TimeDelta::hours(25));
        let condition = queue.condition();
        assert_eq!((condition.waiting, condition.lost), (0, 1));
        assert_eq!(condition.refusal.as_deref(), Some("answered 503"));
    }

    #[test]
    fn lasting_refusal_is_tried_slowly_and_retry_after_is_kept() {
        let mut queue = queue(1);
        let id = sent(&queue, now()).expect("due").delivery_id;
        let lasting = Refusal { lasting: true, ..Refusal::passing("answered 404", "") };
        let pauses = [1, 2].map(|_| queue.refused(id, &lasting, now(), SECOND));
        assert_eq!(pauses, [900, 3600].map(|s| Fate::Again(Duration::from_secs(s))));
        let asked =
            Refusal { retry_after: Some(Duration::from_secs(77)), ..Refusal::passing("", "") };
        let fate = queue.refused(id, &asked, now(), SECOND);
        assert_eq!(fate, Fate::Again(Duration::from_secs(77)));
    }

    #[test]
    fn notice_that_is_refused_for_what_it_says_keeps_no_other_waiting() {
        let mut queue = queue(2);
        let first = sent(&queue, now()).expect("due");
        let malformed =
            Refusal { lasting: true, only_this: true, ..Refusal::passing("answered 400", "") };
        queue.refused(first.delivery_id, &malformed, now(), SECOND);
        let second = sent(&queue, now()).expect("due");
        assert_eq!((first.message.as_str(), second.message.as_str()), ("0", "1"));
        queue.delivered(second.delivery_id);
        assert_eq!(queue.condition(), Condition { waiting: 1, lost: 0, refusal: None });
    }

    #[test]
    fn full_queue_drops_the_oldest_and_counts_it() {
        let mut queue = queue(MOST);
        assert!(queue.add(Notice::new(Event::Overdue, "last", now()), now()));
        assert_eq!(sent(&queue, now()).expect("due").message, "1");
        let condition = queue.condition();
        assert_eq!((condition.waiting, condition.lost), (MOST, 1));
    }

    #[test]
    fn clock_that_steps_back_delays_by_a_day_at_most() {
        let mut queue = queue(1);
        let id = sent(&queue, now()).expect("due").delivery_id;
        queue.refused(id, &Refusal::passing("", ""), now(), SECOND);
        let Next::Wait(left) = queue.next(now() - TimeDelta::days(900)) else { panic!("due") };
        assert_eq!(left, LONGEST_ASKED);
    }
}
