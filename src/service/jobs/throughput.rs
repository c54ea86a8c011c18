//! How fast a phase goes, and how long it will still take.

use std::time::{Duration, Instant};

use crate::engine::{Phase, Progress};
use crate::service::jobs::job::JobProgress;

/// Measures the phase that a run is in.
#[derive(Debug)]
pub struct Throughput {
    phase: Phase,
    since: Instant,
}

impl Throughput {
    /// Measures from now on.
    pub fn new() -> Self {
        Self { phase: Phase::Starting, since: Instant::now() }
    }

    /// The progress with its speed.
    pub fn read(&mut self, now: &Progress) -> JobProgress {
        if now.phase != self.phase {
            *self = Self { phase: now.phase, since: Instant::now() };
        }
        with_speed(now, self.since.elapsed())
    }
}

fn with_speed(now: &Progress, elapsed: Duration) -> JobProgress {
    let rows_per_second = per_second(now.rows, elapsed);
    let bytes_per_second = per_second(now.bytes, elapsed);
    let by_rows = left(now.total_rows, now.rows, rows_per_second);
    JobProgress {
        phase: now.phase,
        rows: now.rows,
        bytes: now.bytes,
        total_rows: now.total_rows,
        total_bytes: now.total_bytes,
        rows_per_second,
        bytes_per_second,
        seconds_left: by_rows.or_else(|| left(now.total_bytes, now.bytes, bytes_per_second)),
    }
}

fn per_second(done: u64, elapsed: Duration) -> u64 {
    let milliseconds = elapsed.as_millis().max(1);
    u64::try_from(u128::from(done) * 1000 / milliseconds).unwrap_or(u64::MAX)
}

fn left(total: Option<u64>, done: u64, per_second: u64) -> Option<u64> {
    total?.saturating_sub(done).checked_div(per_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_what_is_left_over_the_speed() {
        let now = Progress { rows: 500, bytes: 10, total_rows: Some(2000), ..Progress::default() };
        let measured = with_speed(&now, Duration::from_millis(500));
        assert_eq!((measured.rows_per_second, measured.bytes_per_second), (1000, 20));
        assert_eq!(measured.seconds_left, Some(1));
    }

    #[test]
    fn nothing_done_yet_tells_no_time() {
        let now = Progress { total_bytes: Some(1), ..Progress::default() };
        assert_eq!(with_speed(&now, Duration::ZERO).seconds_left, None);
    }
}
