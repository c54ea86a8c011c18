//! How the service is.

use serde::Serialize;
use utoipa::ToSchema;

use super::describe::describe;
use crate::model::BackupId;
use crate::service::automation;
use crate::service::automation::{Check, Checks, Condition, LastBackup};

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// On the whole.
    pub status: Condition,
    /// The program's version.
    pub version: &'static str,
    /// One by one.
    pub checks: Checks,
}

impl From<automation::Health> for Health {
    fn from(health: automation::Health) -> Self {
        let automation::Health { condition: status, checks } = health;
        Self { status, version: env!("CARGO_PKG_VERSION"), checks }
    }
}

describe! {
    /// How it is on the whole.
    #[schema(rename_all = "lowercase")]
    enum Condition = automation::Condition { Ok, Degraded, Failing }
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
