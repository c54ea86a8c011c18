//! The verification round: which backup is to be proven next, so that none stays unproven longer
//! than the stated period. Pure.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};

use crate::engine::BackupInfo;
use crate::model::BackupId;

/// When a backup was last seen to be whole or damaged; of one that never was, when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    pub id: BackupId,
    /// The age of its proof counts from here.
    pub since: DateTime<Utc>,
}

impl Proof {
    /// What is known of this backup.
    #[must_use]
    pub fn of(info: &BackupInfo) -> Self {
        let verified = info.verification.as_ref().map(|last| last.verified_at.as_str());
        let time = |text: &str| DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
        let since = verified.and_then(time).unwrap_or_else(|| info.made());
        Self { since, id: info.backup_id.clone() }
    }
}

/// One backup after the other, oldest proof first.
#[derive(Debug, Clone)]
pub struct Round {
    period: Duration,
    /// When those were tried whose proof could not be noted; so one that cannot be read does not
    /// keep the others from their turn.
    tried: HashMap<BackupId, DateTime<Utc>>,
}

impl Round {
    /// A round in which each backup is proven within the period.
    #[must_use]
    pub fn within(period: Duration) -> Self {
        Self { period, tried: HashMap::new() }
    }

    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Notes that this backup had its turn.
    pub fn tried(&mut self, id: &BackupId, now: DateTime<Utc>) {
        self.tried.insert(id.clone(), now);
    }

    /// The next backup and from when on it is its turn: at half the period, which leaves the other
    /// half to get through all of them.
    #[must_use]
    pub fn next(&self, proofs: &[Proof]) -> Option<(BackupId, DateTime<Utc>)> {
        let since = |proof: &Proof| {
            let tried = self.tried.get(&proof.id).copied();
            tried.map_or(proof.since, |tried| tried.max(proof.since))
        };
        let next = proofs.iter().min_by_key(|proof| (since(proof), proof.id.clone()))?;
        Some((next.id.clone(), since(next) + self.period / 2))
    }

    /// Whether all are proven in time.
    #[must_use]
    pub fn holds(&self, proofs: &[Proof], now: DateTime<Utc>) -> bool {
        proofs.iter().all(|proof| now - proof.since <= self.period)
    }

    /// Forgets what is said of backups that are gone.
    pub fn forget_all_but(&mut self, proofs: &[Proof]) {
        self.tried.retain(|id, _| proofs.iter().any(|proof| proof.id == *id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(id: &str, day: i64) -> Proof {
        Proof { id: id.parse().expect("an id"), since: day_at(day) }
    }

    fn day_at(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::days(day)
    }

    #[test]
    fn the_oldest_proof_has_the_next_turn_at_half_the_period() {
        let round = Round::within(Duration::days(8));
        let proofs = [proof("20250101_000000", 5), proof("20250102_000000", 3)];
        let (id, at) = round.next(&proofs).expect("there are backups");
        assert_eq!((id.as_str(), at), ("20250102_000000", day_at(7)));
        assert!(round.holds(&proofs, day_at(11)) && !round.holds(&proofs, day_at(12)));
        assert_eq!(round.next(&[]), None);
    }

    #[test]
    fn one_whose_proof_cannot_be_noted_does_not_keep_others_from_their_turn() {
        let mut round = Round::within(Duration::days(8));
        let proofs = [proof("20250101_000000", 0), proof("20250102_000000", 1)];
        round.tried(&proofs[0].id, day_at(4));
        assert_eq!(round.next(&proofs).expect("a turn").0, proofs[1].id);
        round.tried(&proofs[1].id, day_at(5));
        assert_eq!(round.next(&proofs).expect("a turn"), (proofs[0].id.clone(), day_at(8)));
        round.forget_all_but(&proofs[1..]);
        assert_eq!(round.tried.len(), 1);
    }

    #[test]
    fn in_a_year_of_daily_backups_no_proof_gets_older_than_the_period() {
        let mut proofs: Vec<Proof> = Vec::new();
        let round = Round::within(Duration::days(7));
        for hour in 0..24 * 365 {
            let now = DateTime::UNIX_EPOCH + Duration::hours(hour);
            if hour % 24 == 0 {
                proofs.push(Proof { id: BackupId::at(now), since: now });
                proofs.drain(..proofs.len().saturating_sub(30));
            }
            if let Some((id, at)) = round.next(&proofs)
                && at <= now
            {
                let turn = proofs.iter_mut().find(|proof| proof.id == id);
                turn.expect("it is one of them").since = now;
            }
            assert!(round.holds(&proofs, now), "after {hour} hours");
        }
    }
}
