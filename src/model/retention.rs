//! Which backups a cleanup keeps, and why. Pure: ids and times in, decisions out.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::BackupId;

/// What to keep. A backup that any rule keeps is kept; a pinned one always is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// The newest, whatever their age.
    pub last: usize,
    /// The newest of each of so many hours that have one.
    pub hourly: usize,
    /// The newest of each of so many days (UTC) that have one.
    pub daily: usize,
    /// The newest of each of so many ISO weeks that have one.
    pub weekly: usize,
    /// The newest of each of so many months that have one.
    pub monthly: usize,
    /// The newest of each of so many years that have one.
    pub yearly: usize,
    /// All younger than this, counted from the newest backup.
    pub within: Option<Duration>,
}

/// A backup as the policy sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: BackupId,
    /// Pinned ones stay.
    pub pinned: bool,
}

/// Why a backup is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// Somebody pinned it.
    Pinned,
    /// Among the newest.
    Last,
    /// The newest of its hour.
    Hourly,
    /// The newest of its day.
    Daily,
    /// The newest of its week.
    Weekly,
    /// The newest of its month.
    Monthly,
    /// The newest of its year.
    Yearly,
    /// Young enough.
    Within,
}

/// What the policy says of one backup: it stays if there is a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The backup.
    pub id: BackupId,
    /// Why it stays; empty if it goes.
    pub reasons: Vec<Reason>,
}

/// The rules that keep the newest of each period: how many, the period's name for an instant.
type Period = (usize, &'static str, Reason);

struct Kept {
    left: usize,
    format: &'static str,
    reason: Reason,
    seen: BTreeSet<String>,
}

impl Kept {
    fn keeps(&mut self, time: DateTime<Utc>) -> bool {
        if self.left == 0 || !self.seen.insert(time.format(self.format).to_string()) {
            return false;
        }
        self.left -= 1;
        true
    }
}

impl Policy {
    /// Keeps the newest `count` and whatever is pinned.
    #[must_use]
    pub fn last(count: usize) -> Self {
        Self { last: count, ..Self::default() }
    }

    fn periods(&self) -> [Period; 5] {
        [
            (self.hourly, "%Y%m%d%H", Reason::Hourly),
            (self.daily, "%Y%m%d", Reason::Daily),
            (self.weekly, "%G%V", Reason::Weekly),
            (self.monthly, "%Y%m", Reason::Monthly),
            (self.yearly, "%Y", Reason::Yearly),
        ]
    }

    /// A decision for each candidate, newest first.
    #[must_use]
    pub fn decide(&self, mut candidates: Vec<Candidate>) -> Vec<Decision> {
        candidates.sort_by(|a, b| b.id.cmp(&a.id));
        let newest = candidates.first().map(|candidate| candidate.id.second());
        let mut periods = self.periods().map(|(left, format, reason)| Kept {
            left,
            format,
            reason,
            seen: BTreeSet::new(),
        });
        let decide = |(place, candidate): (usize, Candidate)| {
            let time = candidate.id.second();
            let young = |age: Duration| newest.is_some_and(|newest| newest - time <= age);
            let mut reasons = Vec::new();
            reasons.extend(candidate.pinned.then_some(Reason::Pinned));
            reasons.extend((place < self.last).then_some(Reason::Last));
            reasons.extend(periods.iter_mut().filter_map(|p| p.keeps(time).then_some(p.reason)));
            reasons.extend(self.within.is_some_and(young).then_some(Reason::Within));
            Decision { id: candidate.id, reasons }
        };
        candidates.into_iter().enumerate().map(decide).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(ids: &[&str]) -> Vec<Candidate> {
        let parse = |id: &&str| Candidate { id: id.parse().expect("an id"), pinned: false };
        ids.iter().map(parse).collect()
    }

    fn kept(policy: &Policy, candidates: Vec<Candidate>) -> Vec<String> {
        let decisions = policy.decide(candidates).into_iter();
        decisions.filter(|d| !d.reasons.is_empty()).map(|d| d.id.to_string()).collect()
    }

    #[test]
    fn the_newest_are_kept_and_the_pinned_beside_them() {
        let mut all = candidates(&["20250101_000000", "20250102_000000", "20250103_000000"]);
        all[0].pinned = true;
        assert_eq!(kept(&Policy::last(1), all), ["20250103_000000", "20250101_000000"]);
    }

    #[test]
    fn a_day_keeps_its_newest_and_days_without_a_backup_do_not_count() {
        let all = candidates(&[
            "20250101_080000",
            "20250101_200000",
            "20250103_010000",
            "20250103_020000",
            "20250109_000000",
        ]);
        let policy = Policy { daily: 2, ..Policy::default() };
        assert_eq!(kept(&policy, all), ["20250109_000000", "20250103_020000"]);
    }

    #[test]
    fn the_age_counts_from_the_newest_so_a_stopped_clock_loses_nothing() {
        let all = candidates(&["20250101_000000", "20250101_120000", "20250102_000000"]);
        let policy = Policy { within: Some(Duration::hours(12)), ..Policy::default() };
        assert_eq!(kept(&policy, all), ["20250102_000000", "20250101_120000"]);
    }

    #[test]
    fn no_rule_keeps_nothing() {
        assert!(kept(&Policy::default(), candidates(&["20250101_000000"])).is_empty());
    }
}
