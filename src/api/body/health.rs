//! How the service is.

use serde::Serialize;
use utoipa::ToSchema;

use super::SUCCESS;
use super::describe::describe;
use crate::model::{BackupId, RowCounts, rfc3339};
use crate::service::automation;
use crate::service::automation::{
    Cause, Check, Checks, Condition, CopyCheck, LastBackup, Level, Protection,
};

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// On the whole.
    pub status: Condition,
    /// The program's version.
    pub version: &'static str,
    /// Whether the address plan is protected, in words.
    pub protection: Protection,
    /// One by one.
    pub checks: Checks,
}

impl From<automation::Health> for Health {
    fn from(health: automation::Health) -> Self {
        let automation::Health { condition: status, protection, checks } = health;
        Self { status, version: env!("CARGO_PKG_VERSION"), protection, checks }
    }
}

/// What is known of the live rows.
#[derive(Debug, Serialize, ToSchema)]
pub struct LiveStatus {
    /// Always `success`.
    status: &'static str,
    /// The backup that they come from: the one restored since the newest was made, else the newest.
    reference: Option<BackupId>,
    /// How they differed when they were last read; null if that is not known.
    last_read: Option<LastRead>,
}

impl LiveStatus {
    /// What is known of the live rows.
    #[must_use]
    pub fn new(reference: Option<BackupId>, read: Option<automation::LastRead>) -> Self {
        let last_read = read.map(|automation::LastRead { at, backup_id, counts }| LastRead {
            at: rfc3339(at),
            backup_id,
            counts,
        });
        Self { status: SUCCESS, reference, last_read }
    }
}

/// The live rows as they were last read.
#[derive(Debug, Serialize, ToSchema)]
struct LastRead {
    /// When that was, RFC 3339.
    at: String,
    /// The backup that they were compared with.
    backup_id: BackupId,
    /// How they differed from it.
    counts: RowCounts,
}

describe! {
    /// How it is on the whole.
    #[schema(rename_all = "lowercase")]
    enum Condition = automation::Condition { Ok, Degraded, Failing }
}

describe! {
    /// The one verdict, and what it rests on.
    struct Protection = automation::Protection {
        /// How grave it is.
        level: Level,
        /// What it rests on, for programs.
        cause: Cause,
        /// The verdict in a word or two.
        word: String,
        /// The reason in a sentence.
        sentence: String,
    }
}

describe! {
    /// How grave the verdict is: protected; protected, but; not protected.
    #[schema(rename_all = "lowercase")]
    enum Level = automation::Level { Good, Notice, Bad }
}

describe! {
    /// What the verdict rests on.
    #[schema(rename_all = "snake_case")]
    enum Cause = automation::Cause {
        Protected,
        NotVerified,
        NoBackup,
        StoreUnusable,
        NewestDamaged,
        DatabaseUnreachable,
        ScheduledBackupFailed,
        Overdue,
        ClockAhead,
        OlderDamaged,
        DiskFilling,
        VerificationOverdue,
        RetentionStuck,
        IncrementalMismatch,
        LiveDiffers,
        Stale,
    }
}

describe! {
    /// What was looked at.
    struct Checks = automation::Checks {
        /// The store can be written.
        store: Check,
        /// The database answers.
        database: Check,
        /// There is a good backup, no older than the schedule says.
        last_backup: LastBackup,
        /// The latest scheduled backup went well.
        schedule: Check,
        /// Every backup is proven in time, and none is damaged.
        verification: Check,
        /// The disk has room.
        disk: Check,
        /// Every target of notices takes them.
        notices: Check,
        /// Backups are copied into another store in time, if there is one.
        copy: CopyCheck,
        /// Temporary files can be made.
        scratch: Check,
    }
}

describe! {
    /// One thing that was looked at.
    struct Check = automation::Check {
        /// Whether it is as it should be.
        ok: bool,
        /// How it is, in words.
        detail: String,
    }
}

describe! {
    /// The copies into another store.
    struct CopyCheck = automation::CopyCheck {
        /// Whether every backup is copied in time.
        ok: bool,
        /// The age of the latest copy that succeeded.
        age_seconds: Option<i64>,
        /// The same in words.
        detail: String,
    }
}

describe! {
    /// The newest backup that is not known to be damaged.
    struct LastBackup = automation::LastBackup {
        /// Whether it is as young as it should be.
        ok: bool,
        /// Its id.
        backup_id: Option<BackupId>,
        /// Its age.
        age_seconds: Option<i64>,
        /// The same in words.
        detail: String,
    }
}
