//! How the service is: what works, what is late, and whether it may be sent requests. Anybody may
//! ask, so nothing here names a path, a host or a user.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::engine::{EngineError, Kind};
use crate::model::BackupId;
use crate::service::automation::Upkeep;
use crate::service::automation::copies::CopyCheck;
use crate::service::automation::protection::{CLOCKS_DIFFER, Level, Protection};
use crate::service::jobs::JobState;
use crate::service::notify::{Heartbeat, TargetCondition, TargetStatus};
use crate::service::observe::disk::DiskSpace;
use crate::threads::locked;

/// The database must answer within this time.
const PATIENCE: Duration = Duration::from_secs(3);
/// The store must be written, and listed, within this time.
pub(in crate::service) const STORE_PATIENCE: Duration = Duration::from_secs(5);
/// A disk with less than one part in so many left is nearly full.
const NEARLY_FULL: u64 = 20;

/// How it is on the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// All is well.
    Ok,
    /// It works, but somebody should look at it.
    Degraded,
    /// It cannot do its work: the store or the database is unreachable.
    Failing,
}

/// How the service is.
#[derive(Debug, Clone)]
pub struct Health {
    /// On the whole.
    pub condition: Condition,
    /// Whether the address plan is protected.
    pub protection: Protection,
    /// One by one.
    pub checks: Checks,
}

/// What was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Checks {
    /// The store can be written.
    pub store: Check,
    /// The database answers.
    pub database: Check,
    /// There is a good backup, no older than the schedule says.
    pub last_backup: LastBackup,
    /// The latest scheduled backup went well.
    pub schedule: Check,
    /// Every backup is proven in time, and none is damaged.
    pub verification: Check,
    /// The disk has room.
    pub disk: Check,
    /// Every target of notices takes them.
    pub notices: Check,
    /// Backups are copied into another store in time, if there is one.
    pub copy: CopyCheck,
    /// Temporary files can be made.
    pub scratch: Check,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Whether it is as it should be.
    pub ok: bool,
    /// How it is, in words.
    pub detail: String,
}

/// The newest backup that is not known to be damaged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastBackup {
    /// Whether it is as young as it should be.
    pub ok: bool,
    pub backup_id: Option<BackupId>,
    pub age_seconds: Option<i64>,
    /// The same in words.
    pub detail: String,
}

impl Check {
    fn new(ok: bool, detail: impl Into<String>) -> Self {
        Self { ok, detail: detail.into() }
    }

    fn as_result(&self) -> Result<(), &str> {
        if self.ok { Ok(()) } else { Err(&self.detail) }
    }
}

impl LastBackup {
    fn unknown(ok: bool, detail: &str) -> Self {
        Self { ok, backup_id: None, age_seconds: None, detail: detail.into() }
    }
}

impl Checks {
    /// Whether each thing is well that the service can work without.
    fn upkeep(&self) -> [bool; 7] {
        [
            self.last_backup.ok,
            self.schedule.ok,
            self.verification.ok,
            self.disk.ok,
            self.notices.ok,
            self.copy.ok,
            self.scratch.ok,
        ]
    }
}

impl Health {
    fn of(protection: Protection, checks: Checks) -> Self {
        let Checks { store, database, .. } = &checks;
        let well = protection.level != Level::Bad && checks.upkeep().iter().all(|ok| *ok);
        let condition = match (store.ok && database.ok, well) {
            (true, true) => Condition::Ok,
            (true, false) => Condition::Degraded,
            (false, _) => Condition::Failing,
        };
        Self { condition, protection, checks }
    }

    /// Whether the service may be sent requests.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.condition != Condition::Failing
    }
}

impl Upkeep {
    /// How the service is. Asked for often, it looks only every few seconds.
    pub async fn health(&self) -> Health {
        let (store, database) = tokio::join!(self.store_works(), self.database_answers());
        // A bucket was perhaps written some minutes ago; the listing is newer.
        let listed = tokio::time::timeout(STORE_PATIENCE, self.overview()).await;
        let unread = match &listed {
            Ok(Ok(_)) => None,
            Ok(Err(_)) => Some("it cannot be read"),
            Err(_) => Some("it does not answer"),
        };
        let store = unread.map_or(store, |why| Check::new(false, why));
        let (last_backup, verification, protection) = if listed.is_ok() {
            let protection = self.protection(&store, &database).await;
            (self.last_backup().await, self.proofs().await, protection)
        } else {
            let unread = "the store cannot be read";
            let protection = Protection::unreadable();
            (LastBackup::unknown(false, unread), Check::new(false, unread), protection)
        };
        let newest = listed.as_ref().ok().and_then(|listed| listed.as_ref().ok());
        let newest = newest.and_then(|seen| seen.newest_good.as_ref()).map(|(_, made)| *made);
        let checks = Checks {
            store,
            database,
            last_backup,
            schedule: self.schedule_goes_well(),
            verification,
            disk: self.disk_has_room(),
            notices: self.notices_arrive(),
            copy: self.copies(newest),
            scratch: self.scratch_works(),
        };
        Health::of(protection, checks)
    }

    /// The verdict of these and of what is known.
    async fn protection(&self, store: &Check, database: &Check) -> Protection {
        let (store, database) = (store.as_result(), database.as_result());
        match self.known().await {
            Some(known) => known.verdict(store, database),
            None => Protection::unreadable(),
        }
    }

    async fn store_works(&self) -> Check {
        let tried = self.0.store_trial.get(async {
            let tried = tokio::time::timeout(STORE_PATIENCE, self.0.engine.try_writing()).await;
            tried.map_err(|_| "it does not answer".into()).and_then(|tried| {
                tried.map_err(|error| {
                    tracing::warn!("the store cannot be written: {}", error.chain().join(": "));
                    "it cannot be written".into()
                })
            })
        });
        tried.await.map_or_else(
            |why: String| Check::new(false, why),
            |()| Check::new(true, "it can be written"),
        )
    }

    async fn database_answers(&self) -> Check {
        let tried = self.0.database_trial.get(async {
            match tokio::time::timeout(PATIENCE, self.0.engine.reach_database()).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(unreached(&error)),
                Err(_) => Err(format!("it did not answer within {} s", PATIENCE.as_secs())),
            }
        });
        tried.await.map_or_else(|why| Check::new(false, why), |()| Check::new(true, "it answers"))
    }

    async fn last_backup(&self) -> LastBackup {
        let Ok(overview) = self.overview().await else {
            return LastBackup::unknown(false, "the store cannot be read");
        };
        let now = self.now();
        let expected = self.expected_since(now);
        let Some((id, made)) = &overview.newest_good else {
            let missed = expected.is_some() && self.0.memory.record().last_run.is_some();
            return LastBackup::unknown(!missed, "there is no good backup yet");
        };
        let age = (now - *made).num_seconds();
        let ahead = *made > now + CLOCKS_DIFFER;
        let ok = !ahead && expected.is_none_or(|expected| *made >= expected);
        let late = if ok { "" } else { ", older than the schedule allows" };
        let detail = if ahead {
            format!("it is dated {} s in the future: check the clock", -age)
        } else {
            format!("it is {} s old{late}", age.max(0))
        };
        LastBackup { ok, backup_id: Some(id.clone()), age_seconds: Some(age), detail }
    }

    /// The newest good backup must be no older than the run before the latest one: that one may
    /// just be under way.
    fn expected_since(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let latest = self.0.plan.timetable.latest(now)?;
        self.0.plan.timetable.latest(latest - chrono::Duration::seconds(1))
    }

    fn schedule_goes_well(&self) -> Check {
        if self.0.plan.timetable.is_empty() {
            return Check::new(true, "nothing is scheduled");
        }
        match self.0.memory.record().last_run.clone() {
            None => Check::new(true, "no backup was due yet"),
            Some(run) if run.outcome == JobState::Succeeded && run.detail.is_none() => {
                Check::new(true, "the latest scheduled backup went well")
            }
            // What else is known of it may name rows or roles; whoever is known is told that elsewhere.
            Some(run) => {
                let how = match run.outcome {
                    JobState::Succeeded => "was made, but not all after it went well",
                    JobState::Failed => "failed",
                    _ => "did not come to its end",
                };
                Check::new(false, format!("the latest scheduled backup {how}"))
            }
        }
    }

    async fn proofs(&self) -> Check {
        let Ok(overview) = self.overview().await else {
            return Check::new(false, "the store cannot be read");
        };
        if overview.damaged > 0 {
            return Check::new(false, format!("damaged backups: {}", overview.damaged));
        }
        let round = locked(&self.0.round);
        match &*round {
            None => Check::new(true, "no damage is known; there is no verification round"),
            Some(round) if round.holds(&overview.proofs, self.now()) => {
                Check::new(true, "every backup is proven in time")
            }
            Some(_) => Check::new(false, "the oldest proof is older than the period"),
        }
    }

    /// Names formats but no hosts, as anybody may ask.
    fn notices_arrive(&self) -> Check {
        let targets = self.0.notifier.status();
        let heartbeat = self.0.heartbeat.as_ref();
        if targets.is_empty() && heartbeat.is_none() {
            return Check::new(true, "nobody is notified");
        }
        let mut troubles: Vec<_> = targets.iter().filter_map(trouble).collect();
        let refusal = heartbeat.and_then(Heartbeat::refusal);
        troubles.extend(refusal.map(|why| format!("heartbeat: {why}")));
        if troubles.is_empty() {
            return Check::new(true, "every target takes notifications");
        }
        Check::new(false, troubles.join("; "))
    }

    fn scratch_works(&self) -> Check {
        match self.0.engine.try_scratch() {
            Ok(()) => Check::new(true, "temporary files can be made"),
            Err(error) => {
                tracing::warn!("{}", error.chain().join(": "));
                Check::new(false, "temporary files cannot be made; the service's log says why")
            }
        }
    }

    pub(in crate::service) fn disk_has_room(&self) -> Check {
        match (self.0.engine.store().folder(), self.disk()) {
            (None, _) => Check::new(true, "the store is on no disk of this machine"),
            (Some(_), None) => Check::new(false, "the disk cannot be asked"),
            (Some(_), Some(DiskSpace { total_bytes, available_bytes })) => {
                let percent = available_bytes.saturating_mul(100) / total_bytes.max(1);
                let ok = available_bytes >= total_bytes / NEARLY_FULL;
                Check::new(ok, format!("{percent} % of the disk are free"))
            }
        }
    }
}

/// What is wrong with a target of notices, if anything is.
fn trouble(target: &TargetStatus) -> Option<String> {
    let TargetCondition { waiting, lost, refusal } = &target.condition;
    let format = target.format;
    match (refusal, lost) {
        (None, 0) => None,
        (None, lost) => Some(format!("{format}: {lost} lost")),
        (Some(why), lost) => Some(format!("{format}: {why} ({waiting} waiting, {lost} lost)")),
    }
}

/// Why the database cannot be worked with, without its address.
fn unreached(error: &EngineError) -> String {
    tracing::warn!("the database cannot be reached: {}", error.chain().join(": "));
    match error.kind() {
        Kind::MalformedRequest => "none was named, or its address makes no sense",
        Kind::NotPermitted => "it does not let the service in",
        _ => "it is out of reach",
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks(store: bool, disk: bool) -> Checks {
        let check = |ok| Check::new(ok, "");
        let last_backup =
            LastBackup { ok: true, backup_id: None, age_seconds: None, detail: String::new() };
        Checks {
            store: check(store),
            database: check(true),
            last_backup,
            schedule: check(true),
            verification: check(true),
            disk: check(disk),
            notices: check(true),
            copy: CopyCheck { ok: true, age_seconds: None, detail: String::new() },
            scratch: check(true),
        }
    }

    #[test]
    fn a_full_disk_is_degraded_and_a_lost_store_is_failing() {
        let health = |level, store, disk| {
            let protection = Protection { level, ..Protection::unreadable() };
            Health::of(protection, checks(store, disk))
        };
        assert_eq!(health(Level::Good, true, true).condition, Condition::Ok);
        assert_eq!(health(Level::Bad, true, true).condition, Condition::Degraded);
        let full = health(Level::Good, true, false);
        assert!(full.condition == Condition::Degraded && full.is_ready());
        let lost = health(Level::Good, false, false);
        assert!(lost.condition == Condition::Failing && !lost.is_ready());
    }
}
