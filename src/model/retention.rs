//! Which backups a cleanup keeps, and why. Pure: ids and times in, decisions out.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Age, BackupId, BackupKind};

/// How long a restore is offered to be undone.
const UNDO: TimeDelta = TimeDelta::days(1);

/// What to keep. A backup that any rule keeps is kept; a pinned one, the newest good one, and the safety
/// backup of a restore of the past day always are.
///
/// Safety backups have a rule of their own, and so have those that the program made by itself since something
/// had changed: the other rules neither keep nor count them. Damaged backups take no place of good ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    /// Safety backups younger than this, counted from the newest backup.
    pub pre_restore_within: Age,
    /// Backups that were made since something had changed: all that are younger than this, counted from the
    /// newest backup; of the older ones the newest of each of 24 hours, 30 days and 52 weeks.
    pub automatic_within: Age,
    /// Whether it may leave no backup at all; then the newest good one has no privilege.
    pub allow_empty: bool,
}

/// What is kept of older automatic backups: the newest of each of so many periods.
const AUTOMATIC: [Period; 3] =
    [(24, "%Y%m%d%H", Reason::Hourly), (30, "%Y%m%d", Reason::Daily), (52, "%G%V", Reason::Weekly)];

impl Policy {
    /// How many of the newest are kept unless told otherwise.
    pub const LAST: usize = 10;
    /// For how many days safety backups are kept unless told otherwise.
    pub const PRE_RESTORE_DAYS: u16 = 30;
    /// For how many hours all automatic backups are kept unless told otherwise.
    pub const AUTOMATIC_HOURS: u16 = 1;
}

impl Default for Policy {
    /// No rule but that of the safety backups.
    fn default() -> Self {
        Self {
            last: 0,
            hourly: 0,
            daily: 0,
            weekly: 0,
            monthly: 0,
            yearly: 0,
            within: None,
            pre_restore_within: Age::days(Self::PRE_RESTORE_DAYS),
            automatic_within: Age::hours(Self::AUTOMATIC_HOURS),
            allow_empty: false,
        }
    }
}

/// A backup as the policy sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub id: BackupId,
    /// When it was made, by the clock of then.
    pub made: DateTime<Utc>,
    /// Why it was made.
    pub kind: BackupKind,
    /// Whether the program made it by itself since something had changed.
    pub automatic: bool,
    /// Whether it is pinned, as far as that can be told.
    pub pin: Pin,
    /// Whether it is whole, as far as is known.
    pub good: bool,
}

/// Whether a backup is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// It is not.
    Unpinned,
    /// Somebody pinned it.
    Pinned,
    /// Its state cannot be read: it may be.
    Unknown,
}

/// Why a backup is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// The newest that is whole, as far as is known.
    NewestGood,
    /// The way back from the last restore, which was not long ago.
    Undo,
    /// Its state cannot be read, so it may be pinned.
    StateUnreadable,
}

/// What the policy says of one backup: it stays if there is a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
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
    fn of((left, format, reason): Period) -> Self {
        Self { left, format, reason, seen: BTreeSet::new() }
    }

    /// Whether it is the newest of its period. A damaged one leaves the place to the next.
    fn keeps(&mut self, time: DateTime<Utc>, good: bool) -> bool {
        let period = time.format(self.format).to_string();
        if self.left == 0 || self.seen.contains(&period) {
            return false;
        }
        if good {
            self.seen.insert(period);
            self.left -= 1;
        }
        true
    }
}

impl Policy {
    /// Keeps the newest `count` and whatever is pinned.
    #[must_use]
    pub fn last(count: usize) -> Self {
        Self { last: count, ..Self::default() }
    }

    /// Whether any rule keeps backups that somebody asked for.
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

    /// Decides about each candidate; they come in the order of creation, newest first, and so do the
    /// decisions.
    #[must_use]
    pub fn decide(&self, candidates: &[Candidate], now: DateTime<Utc>) -> Vec<Decision> {
        let times = Times::of(candidates, now);
        let mut periods = self.periods().map(Kept::of);
        let mut automatic = AUTOMATIC.map(Kept::of);
        let mut place = 0;
        let decide = |(at, candidate): (usize, &Candidate)| {
            let mut reasons = Vec::new();
            reasons.extend(match candidate.pin {
                Pin::Unpinned => None,
                Pin::Pinned => Some(Reason::Pinned),
                Pin::Unknown => Some(Reason::StateUnreadable),
            });
            if candidate.kind == BackupKind::PreRestore {
                let young = times.younger(at, self.pre_restore_within);
                reasons.extend(young.then_some(Reason::PreRestore));
            } else if candidate.automatic {
                let (time, good) = (times.made(at), candidate.good);
                let newest =
                    automatic.iter_mut().filter_map(|p| p.keeps(time, good).then_some(p.reason));
                reasons.extend(newest);
                let young = times.younger(at, self.automatic_within);
                reasons.extend(young.then_some(Reason::Within));
            } else {
                let (time, good) = (times.made(at), candidate.good);
                reasons.extend((place < self.last).then_some(Reason::Last));
                place += usize::from(good);
                let newest =
                    periods.iter_mut().filter_map(|p| p.keeps(time, good).then_some(p.reason));
                reasons.extend(newest);
                let young = self.within.is_some_and(|age| times.younger(at, age));
                reasons.extend(young.then_some(Reason::Within));
            }
            Decision { id: candidate.id.clone(), reasons }
        };
        let mut decisions: Vec<_> = candidates.iter().enumerate().map(decide).collect();
        if !self.allow_empty {
            for at in newest_good(candidates) {
                decisions[at].reasons.push(Reason::NewestGood);
            }
            if let Some(at) = undo(candidates, now) {
                decisions[at].reasons.push(Reason::Undo);
            }
        }
        decisions
    }
}

/// The newest good backup, and the newest good one that somebody asked for.
fn newest_good(candidates: &[Candidate]) -> BTreeSet<usize> {
    let asked_for =
        |candidate: &&Candidate| candidate.kind == BackupKind::Full && !candidate.automatic;
    let good = |candidate: &Candidate| candidate.good;
    let newest = candidates.iter().position(good);
    let newest_full = candidates.iter().position(|one| good(one) && asked_for(&one));
    newest.into_iter().chain(newest_full).collect()
}

/// The safety backup of the last restore, for as long as that is offered to be undone.
fn undo(candidates: &[Candidate], now: DateTime<Utc>) -> Option<usize> {
    let at = candidates.iter().position(|one| one.kind == BackupKind::PreRestore)?;
    let newest = &candidates[at];
    (newest.good && now - newest.made < UNDO).then_some(at)
}

/// When backups were made, whatever clock they were made by.
struct Times {
    /// Of each candidate; none where only clocks that ran ahead tell.
    made: Vec<Option<DateTime<Utc>>>,
    /// By the clock alone.
    told: Vec<DateTime<Utc>>,
    /// What ages are counted from.
    newest: Option<DateTime<Utc>>,
}

impl Times {
    /// A time later than now is that of a clock that ran ahead, unless all are. A time earlier than that
    /// of an older backup is that of a clock that was set back.
    fn of(candidates: &[Candidate], now: DateTime<Utc>) -> Self {
        let told: Vec<_> = candidates.iter().map(|candidate| candidate.made).collect();
        let past = told.iter().filter(|time| **time <= now).max();
        let newest = past.or(told.iter().max()).copied();
        let mut latest = None;
        let mut made: Vec<_> = told
            .iter()
            .rev()
            .map(|time| {
                latest = latest.max(Some(*time).filter(|time| Some(*time) <= newest));
                latest
            })
            .collect();
        made.reverse();
        Self { made, told, newest }
    }

    fn made(&self, at: usize) -> DateTime<Utc> {
        self.made[at].unwrap_or(self.told[at])
    }

    fn younger(&self, at: usize, age: Age) -> bool {
        let age_of = |made| self.newest.map(|newest| newest - made);
        self.made[at].and_then(age_of).is_none_or(|made| made <= age.duration())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(ids: &[&str]) -> Vec<Candidate> {
        let candidate = |id: &&str| Candidate {
            id: id.parse().expect("an id"),
            made: id.parse::<BackupId>().expect("an id").second(),
            kind: BackupKind::Full,
            automatic: false,
            pin: Pin::Unpinned,
            good: true,
        };
        // Newest first.
        ids.iter().rev().map(candidate).collect()
    }

    fn kept(policy: &Policy, candidates: &[Candidate]) -> Vec<String> {
        let now = "2025-02-01T00:00:00Z".parse().expect("a time");
        let decisions = policy.decide(candidates, now).into_iter();
        decisions.filter(|d| !d.reasons.is_empty()).map(|d| d.id.to_string()).collect()
    }

    #[test]
    fn the_newest_are_kept_and_the_pinned_beside_them() {
        let mut all = candidates(&["20250101_000000", "20250102_000000", "20250103_000000"]);
        all[2].pin = Pin::Pinned;
        assert_eq!(kept(&Policy::last(1), &all), ["20250103_000000", "20250101_000000"]);
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
        assert_eq!(kept(&policy, &all), ["20250109_000000", "20250103_020000"]);
    }

    #[test]
    fn the_age_counts_from_the_newest_so_a_stopped_clock_loses_nothing() {
        let all = candidates(&["20250101_000000", "20250101_120000", "20250102_000000"]);
        let policy = Policy { within: "12h".parse().ok(), ..Policy::default() };
        assert_eq!(kept(&policy, &all), ["20250102_000000", "20250101_120000"]);
    }

    #[test]
    fn a_backup_of_a_clock_that_ran_ahead_makes_no_other_old() {
        let all = candidates(&["20250101_000000", "20250101_120000", "20350101_000000"]);
        let policy = Policy { within: "12h".parse().ok(), ..Policy::default() };
        assert_eq!(kept(&policy, &all).len(), 3);
        let ahead = candidates(&["20350101_000000", "20350102_000000"]);
        assert_eq!(kept(&policy, &ahead), ["20350102_000000"]);
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
        let policy = Policy { pre_restore_within: Age::days(2), ..Policy::last(2) };
        let kept_now = ["20250105_000000", "20250104_000000", "20250103_000000"];
        assert_eq!(kept(&policy, &all), kept_now);
        all[3].pin = Pin::Pinned;
        assert_eq!(kept(&policy, &all).len(), 4);
        assert_eq!(kept(&Policy::last(2), &all).len(), 4, "thirty days by default");
    }

    #[test]
    fn newest_good_backup_stays_whatever_the_rules_say() {
        let ids = ["20250101_000000", "20250102_000000", "20250103_000000"];
        let mut all = candidates(&ids);
        assert_eq!(kept(&Policy::default(), &all), ["20250103_000000"]);
        all[0].good = false;
        assert_eq!(kept(&Policy::default(), &all), ["20250102_000000"]);
        all[1].kind = BackupKind::PreRestore;
        let none = Policy { pre_restore_within: Age::days(0), ..Policy::default() };
        let both = ["20250102_000000", "20250101_000000"];
        assert_eq!(kept(&none, &all), both, "the newest, and the newest asked for");
        assert!(kept(&Policy { allow_empty: true, ..none }, &all).is_empty());
    }

    #[test]
    fn safety_backup_of_a_restore_of_the_past_day_stays_whatever_the_rules_say() {
        let ids = ["20250131_100000", "20250131_110000", "20250131_120000", "20250131_130000"];
        let mut all = candidates(&ids);
        all[1].kind = BackupKind::PreRestore;
        all[2].kind = BackupKind::PreRestore;
        let none = Policy { pre_restore_within: Age::days(0), ..Policy::last(1) };
        assert_eq!(kept(&none, &all), ["20250131_130000", "20250131_120000"]);
        all[1].good = false;
        assert_eq!(kept(&none, &all), ["20250131_130000"], "it undoes nothing");
        let mut old = candidates(&["20250130_100000", "20250130_120000"]);
        old[1].kind = BackupKind::PreRestore;
        assert_eq!(kept(&none, &old), ["20250130_120000"], "the restore was long ago");
    }

    #[test]
    fn damaged_backup_takes_no_place_of_a_good_one() {
        let ids = ["20250101_000000", "20250102_000000", "20250103_000000", "20250103_120000"];
        let mut all = candidates(&ids);
        all[0].good = false;
        all[2].good = false;
        assert_eq!(kept(&Policy::last(1), &all), ["20250103_120000", "20250103_000000"]);
        assert_eq!(kept(&Policy::last(2), &all).len(), 4);
        let daily = Policy { daily: 1, ..Policy::default() };
        assert_eq!(kept(&daily, &all), ["20250103_120000", "20250103_000000"]);
    }

    #[test]
    fn unreadable_state_counts_as_pinned() {
        let mut all = candidates(&["20250101_000000", "20250102_000000"]);
        all[1].pin = Pin::Unknown;
        assert_eq!(kept(&Policy::last(1), &all).len(), 2);
    }

    #[test]
    fn backup_of_a_clock_set_back_is_as_old_as_its_neighbours() {
        // Created in this order.
        let all = candidates(&["20250101_000000", "19700101_000000", "20250102_000000"]);
        assert_eq!(kept(&Policy::last(2), &all), ["20250102_000000", "19700101_000000"]);
        let within = Policy { within: Some(Age::days(3)), ..Policy::default() };
        assert_eq!(kept(&within, &all).len(), 3);
        let newest = candidates(&["20250101_000000", "20250102_000000", "20200101_000000"]);
        assert_eq!(kept(&Policy::last(1), &newest), ["20200101_000000"]);
        assert_eq!(kept(&within, &newest).len(), 3);
    }

    #[test]
    fn automatic_backups_are_thinned_and_take_no_place_of_others() {
        // One a minute for three days, each tenth hour one that somebody asked for.
        let start: DateTime<Utc> = "2025-09-20T00:00:30Z".parse().expect("a time");
        let made = |minute: i64| start + chrono::Duration::minutes(minute);
        let all = (0..3 * 24 * 60).rev().map(|minute| Candidate {
            id: BackupId::at(made(minute)),
            made: made(minute),
            kind: BackupKind::Full,
            automatic: minute % 600 != 0,
            pin: Pin::Unpinned,
            good: true,
        });
        let all: Vec<_> = all.collect();
        let decisions = Policy::last(10).decide(&all, made(3 * 24 * 60));
        let kept = |automatic: bool| {
            let stays = all.iter().zip(&decisions).filter(|(_, it)| !it.reasons.is_empty());
            stays
                .filter(|(it, _)| it.automatic == automatic)
                .map(|(it, _)| it.made)
                .collect::<Vec<_>>()
        };
        // All that somebody asked for.
        assert_eq!(kept(false).len(), 8);
        let automatic = kept(true);
        let last_hour = automatic.iter().filter(|at| **at >= made(3 * 24 * 60 - 61)).count();
        assert_eq!(last_hour, 61);
        // An hour each for a day, and a day each beyond.
        assert_eq!(automatic.len(), 61 + 22 + 2, "{automatic:?}");
        // With its weeks and days it is the same the next time.
        let left = all.iter().zip(&decisions).filter(|(_, it)| !it.reasons.is_empty());
        let left: Vec<_> = left.map(|(it, _)| it.clone()).collect();
        let again = Policy::last(10).decide(&left, made(3 * 24 * 60));
        assert!(again.iter().all(|it| !it.reasons.is_empty()));
    }
}
