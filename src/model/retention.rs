//! Which backups a cleanup keeps, and why. Pure: ids and times in, decisions out.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Age, BackupId, BackupKind};

/// What to keep. A backup that any rule keeps is kept; a pinned one always is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
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
    pub within: Option<Age>,
    /// What restores kept before they began: all younger than this, counted from the newest backup.
    /// They then have a rule of their own, and the rules above neither keep nor count them. Without
    /// it they are backups like any other.
    pub pre_restore_within: Option<Age>,
}

/// A backup as the policy sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: BackupId,
    /// Why it was made.
    pub kind: BackupKind,
    /// Pinned ones stay.
    pub pinned: bool,
}

/// Why a backup is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
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
    /// Kept by a restore not long ago.
    PreRestore,
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

    /// Whether any rule keeps backups that are not what a restore put aside.
    #[must_use]
    pub fn keeps_any(&self) -> bool {
        let young = self.within.is_some_and(|age| age > Age::days(0));
        young || self.last > 0 || self.periods().iter().any(|(count, ..)| *count > 0)
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

    /// A decision for each candidate, newest first. Ages count from the newest; but from none that was made
    /// by a clock that ran ahead of `now`, unless all were.
    #[must_use]
    pub fn decide(&self, mut candidates: Vec<Candidate>, now: DateTime<Utc>) -> Vec<Decision> {
        candidates.sort_by(|a, b| b.id.cmp(&a.id));
        let past = candidates.iter().find(|candidate| candidate.id.second() <= now);
        let newest = past.or(candidates.first()).map(|candidate| candidate.id.second());
        let younger = |time: DateTime<Utc>, age: Age| {
            newest.is_some_and(|newest| newest - time <= age.duration())
        };
        let mut periods = self.periods().map(|(left, format, reason)| Kept {
            left,
            format,
            reason,
            seen: BTreeSet::new(),
        });
        let mut place = 0;
        let decide = |candidate: Candidate| {
            let time = candidate.id.second();
            let mut reasons = Vec::new();
            reasons.extend(candidate.pinned.then_some(Reason::Pinned));
            match self.pre_restore_within {
                Some(age) if candidate.kind == BackupKind::PreRestore => {
                    reasons.extend(younger(time, age).then_some(Reason::PreRestore));
                }
                _ => {
                    place += 1;
                    let young = self.within.is_some_and(|age| younger(time, age));
                    reasons.extend((place <= self.last).then_some(Reason::Last));
                    reasons.extend(
                        periods.iter_mut().filter_map(|p| p.keeps(time).then_some(p.reason)),
                    );
                    reasons.extend(young.then_some(Reason::Within));
                }
            }
            Decision { id: candidate.id, reasons }
        };
        candidates.into_iter().map(decide).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(ids: &[&str]) -> Vec<Candidate> {
        let candidate = |id: &&str| Candidate {
            id: id.parse().expect("an id"),
            kind: BackupKind::Full,
            pinned: false,
        };
        ids.iter().map(candidate).collect()
    }

    fn kept(policy: &Policy, candidates: Vec<Candidate>) -> Vec<String> {
        let now = "2025-02-01T00:00:00Z".parse().expect("a time");
        let decisions = policy.decide(candidates, now).into_iter();
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
        let policy = Policy { within: "12h".parse().ok(), ..Policy::default() };
        assert_eq!(kept(&policy, all), ["20250102_000000", "20250101_120000"]);
    }

    #[test]
    fn a_backup_of_a_clock_that_ran_ahead_makes_no_other_old() {
        let all = candidates(&["20250101_000000", "20250101_120000", "20350101_000000"]);
        let policy = Policy { within: "12h".parse().ok(), ..Policy::default() };
        assert_eq!(kept(&policy, all).len(), 3);
        let ahead = candidates(&["20350101_000000", "20350102_000000"]);
        assert_eq!(kept(&policy, ahead), ["20350102_000000"]);
    }

    #[test]
    fn what_restores_kept_ages_out_by_itself_and_takes_no_place_of_others() {
        let mut all = candidates(&[
            "20250101_000000",
            "20250102_000000",
            "20250103_000000",
            "20250104_000000",
            "20250105_000000",
        ]);
        for place in [1, 3] {
            all[place].kind = BackupKind::PreRestore;
        }
        let policy = Policy { pre_restore_within: Some(Age::days(2)), ..Policy::last(2) };
        let kept_now = ["20250105_000000", "20250104_000000", "20250103_000000"];
        assert_eq!(kept(&policy, all.clone()), kept_now);
        all[1].pinned = true;
        assert_eq!(kept(&policy, all.clone()).len(), 4);
        assert_eq!(kept(&Policy::last(2), all)[1], "20250104_000000");
    }

    #[test]
    fn no_rule_keeps_nothing() {
        assert!(kept(&Policy::default(), candidates(&["20250101_000000"])).is_empty());
        let aside = Policy { pre_restore_within: Some(Age::days(30)), ..Policy::default() };
        assert!(!aside.keeps_any() && Policy::last(1).keeps_any());
    }
}
