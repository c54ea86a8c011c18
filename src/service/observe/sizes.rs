//! How the store's size went: a line in `sizes.jsonl` after each job that changed it, and when the
//! disk will be full if it goes on so.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use crate::service::files;
use crate::threads::locked;

const FILE: &str = "sizes.jsonl";
/// Younger points are all kept; of older ones the last of each day.
const RECENT: Duration = Duration::days(90);
/// Points that a trend is drawn through: the newest.
const TREND_POINTS: usize = 200;
/// What is older says little about what will be.
const TREND_SPAN: Duration = Duration::days(60);
/// Less than this tells no trend.
const SHORTEST_TREND: Duration = Duration::days(1);
const FEWEST_POINTS: usize = 5;
/// A disk that lasts longer needs no date.
const FARTHEST_DAYS: f64 = 3650.0;

/// The store's size at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// The moment.
    pub at: DateTime<Utc>,
    pub backups: usize,
    /// Bytes of all packs.
    pub stored_bytes: u64,
    /// Bytes of the rows of all backups.
    pub logical_bytes: u64,
}

/// The sizes that were, oldest first.
#[derive(Debug)]
pub struct SizeHistory {
    path: PathBuf,
    alone: Mutex<()>,
}

impl SizeHistory {
    /// The history in this state folder. Thins out what is old.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn in_folder(folder: &Path, now: DateTime<Utc>) -> io::Result<Self> {
        let history = Self { path: folder.join(FILE), alone: Mutex::default() };
        let sizes = history.all()?;
        let thin = thinned(&sizes, now);
        if thin.len() < sizes.len() {
            files::replace_lines(&history.path, &thin)?;
        }
        Ok(history)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All sizes.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn all(&self) -> io::Result<Vec<Size>> {
        files::read_lines(&self.path)
    }

    /// Adds one, unless the last says the same: then nothing was changed.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&self, size: Size) -> io::Result<()> {
        let _alone = locked(&self.alone);
        let last = self.all()?.pop();
        if last.is_some_and(|last| Size { at: size.at, ..last } == size) {
            return Ok(());
        }
        files::append_json(&self.path, &size)
    }
}

fn thinned(sizes: &[Size], now: DateTime<Utc>) -> Vec<Size> {
    let is_old = |size: &Size| now - size.at > RECENT;
    let (old, recent): (Vec<Size>, Vec<Size>) = sizes.iter().copied().partition(is_old);
    let of_day = |size: Size| (size.at.date_naive(), size);
    let last_of_day: BTreeMap<_, _> = old.into_iter().map(of_day).collect();
    last_of_day.into_values().chain(recent).collect()
}

/// In how many days so many bytes will be used up if the store goes on growing as it did of late.
/// Nothing if it does not grow, if too little is known, or if that is years away.
///
/// The slope is the median of those between any two points (Theil-Sen): a cleanup now and then, or
/// one great import, does not bend it.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a forecast; 53 bits are plenty")]
pub fn full_in_days(sizes: &[Size], available: u64) -> Option<u64> {
    let newest = sizes.last()?.at;
    let recent = sizes.iter().rev().filter(|size| newest - size.at <= TREND_SPAN);
    let points: Vec<_> = recent.take(TREND_POINTS).collect();
    let span = newest - points.last()?.at;
    if points.len() < FEWEST_POINTS || span < SHORTEST_TREND {
        return None;
    }
    let mut slopes = Vec::new();
    for (place, later) in points.iter().enumerate() {
        for earlier in &points[place + 1..] {
            let days = (later.at - earlier.at).as_seconds_f64() / 86_400.0;
            if days > 0.0 {
                slopes.push((later.stored_bytes as f64 - earlier.stored_bytes as f64) / days);
            }
        }
    }
    slopes.sort_by(f64::total_cmp);
    let bytes_a_day = *slopes.get(slopes.len() / 2)?;
    let days = available as f64 / bytes_a_day;
    let tellable = bytes_a_day > 0.0 && days <= FARTHEST_DAYS;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is in 0..=3650"
    )]
    tellable.then_some(days as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(hour: i64, stored_bytes: u64) -> Size {
        let at = DateTime::UNIX_EPOCH + Duration::hours(hour);
        Size { at, backups: 1, stored_bytes, logical_bytes: 0 }
    }

    #[test]
    fn a_steady_growth_tells_the_day() {
        let sizes: Vec<_> =
            (0..100).map(|hour| size(hour, 1000 + 10 * hour.unsigned_abs())).collect();
        assert_eq!(full_in_days(&sizes, 24_000), Some(100));
    }

    #[test]
    fn cleanups_and_one_great_import_do_not_bend_the_trend() {
        let stored = |hour: i64| {
            let import = if hour > 50 { 100_000 } else { 0 };
            let cleanup = if hour == 70 { 900 } else { 0 };
            1000 + 10 * hour.unsigned_abs() + import - cleanup
        };
        let sizes: Vec<_> = (0..400).map(|hour| size(hour, stored(hour))).collect();
        assert_eq!(full_in_days(&sizes, 24_000), Some(100));
    }

    #[test]
    fn where_no_date_makes_sense_there_is_none() {
        let grows = |hours: i64, by: u64| {
            (0..hours).map(|hour| size(hour, 1000 + by * hour.unsigned_abs())).collect::<Vec<_>>()
        };
        assert_eq!(full_in_days(&[], 1), None);
        assert_eq!(full_in_days(&grows(20, 10), 1000), None, "less than a day");
        assert_eq!(full_in_days(&[size(0, 1), size(99, 9)], 1000), None, "two points");
        assert_eq!(full_in_days(&grows(99, 0), 1000), None, "no growth");
        assert_eq!(full_in_days(&grows(99, 1), u64::MAX), None, "far away");
        assert_eq!(full_in_days(&grows(99, 1), 0), Some(0), "full");
    }

    #[test]
    fn what_is_old_is_thinned_to_one_a_day_and_nothing_is_said_twice() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = |now| SizeHistory::in_folder(folder.path(), now).expect("opened");
        let history = open(DateTime::UNIX_EPOCH);
        for hour in 0..72 {
            history.add(size(hour, hour.unsigned_abs() / 2)).expect("added");
        }
        assert_eq!(history.all().expect("read").len(), 36);
        let now = DateTime::UNIX_EPOCH + RECENT + Duration::hours(48);
        let left: Vec<_> = open(now).all().expect("read").iter().map(|s| s.stored_bytes).collect();
        let all_of_the_third_day = 24..36;
        assert_eq!(left, [11, 23].into_iter().chain(all_of_the_third_day).collect::<Vec<_>>());
    }
}
