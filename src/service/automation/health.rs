//! How the service is: what works, what is late, and whether it may be sent requests. Anybody may
//! ask, so nothing here names a path, a host or a user.

use serde::Serialize;

use crate::model::BackupId;
use crate::service::automation::copies::CopyCheck;
use crate::service::automation::protection::{Level, Protection};
use crate::service::observe::disk::DiskSpace;
use crate::service::observe::measures::Measures;

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
    pub fn new(ok: bool, detail: impl Into<String>) -> Self {
        Self { ok, detail: detail.into() }
    }

    /// The same as a result: the error says what is wrong.
    ///
    /// # Errors
    /// If it is not as it should be.
    pub fn as_result(&self) -> Result<(), &str> {
        if self.ok { Ok(()) } else { Err(&self.detail) }
    }

    /// The disk of the store has room.
    pub fn of_disk(measures: &Measures) -> Self {
        match measures.disk() {
            Some(space) => Self::of_space(space),
            None if measures.has_disk() => Self::new(false, "the disk cannot be asked"),
            None => Self::new(true, "the store is on no disk of this machine"),
        }
    }

    /// A disk with this space has room.
    pub fn of_space(DiskSpace { total_bytes, available_bytes }: DiskSpace) -> Self {
        let percent = available_bytes.saturating_mul(100) / total_bytes.max(1);
        let ok = available_bytes >= total_bytes / NEARLY_FULL;
        Self::new(ok, format!("{percent} % of the disk are free"))
    }
}

impl LastBackup {
    pub fn unknown(ok: bool, detail: &str) -> Self {
        Self { ok, backup_id: None, age_seconds: None, detail: detail.into() }
    }
}

impl Checks {
    /// Whether each thing is well that the service can work without.
    fn beside_its_work(&self) -> [bool; 7] {
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
    pub fn of(protection: Protection, checks: Checks) -> Self {
        let Checks { store, database, .. } = &checks;
        let well = protection.level != Level::Bad && checks.beside_its_work().iter().all(|ok| *ok);
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
