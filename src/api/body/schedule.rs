//! The schedule: what is due when, what is kept, and how it went last.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::NoticeTarget;
use super::describe::describe;
use crate::model::{Age, BackupId, Policy};
use crate::service::automation;
use crate::service::automation::VerificationStatus;
use crate::service::jobs::JobState;
use crate::service::schedule::{self, LastRun, Upcoming};

/// The schedule: what is due when, and how it went last.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduleStatus {
    /// Always `success`.
    pub status: &'static str,
    /// The time zone of the expressions.
    pub time_zone: &'static str,
    /// When backups are due.
    pub schedules: Vec<Upcoming>,
    /// What is kept after each backup; everything if there is none.
    pub retention: Option<RetentionStatus>,
    /// Backups that the rules would delete, if they are not in force until somebody confirms that with
    /// `--apply-retention`.
    pub retention_withheld: Vec<BackupId>,
    /// Seconds between two looks for changes, if the service looks for them.
    pub watch_seconds: Option<u64>,
    /// The latest scheduled backup.
    pub last_run: Option<LastRun>,
    /// The verification round, if there is one.
    pub verification: Option<VerificationStatus>,
    /// Whom the service notifies.
    pub notices: Vec<NoticeTarget>,
}

/// What is kept after each backup, beside what is pinned and the newest good one. Periods are those of UTC.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetentionStatus {
    /// So many of the newest.
    pub last: usize,
    /// The newest of each of so many hours.
    pub hourly: usize,
    /// The newest of each of so many days.
    pub daily: usize,
    /// The newest of each of so many ISO weeks.
    pub weekly: usize,
    /// The newest of each of so many months.
    pub monthly: usize,
    /// The newest of each of so many years.
    pub yearly: usize,
    /// All younger than this, counted from the newest; an age such as `36h` or `14d`.
    #[schema(value_type = Option<String>)]
    pub within: Option<Age>,
    /// Safety backups younger than this.
    #[schema(value_type = String)]
    pub pre_restore_within: Age,
    /// All backups younger than this that were made since something had changed; of older ones, one an hour for a
    /// day, one a day for 30 days and one a week for a year.
    #[schema(value_type = String)]
    pub automatic_within: Age,
}

impl From<automation::ScheduleStatus> for ScheduleStatus {
    fn from(schedule: automation::ScheduleStatus) -> Self {
        Self {
            status: super::SUCCESS,
            time_zone: schedule.time_zone,
            schedules: schedule.schedules,
            retention: schedule.retention.map(RetentionStatus::from),
            retention_withheld: schedule.withheld,
            watch_seconds: schedule.watch.map(|every| every.as_secs()),
            last_run: schedule.last_run,
            verification: schedule.verification,
            notices: schedule.notices.into_iter().map(NoticeTarget::from).collect(),
        }
    }
}

impl From<Policy> for RetentionStatus {
    fn from(policy: Policy) -> Self {
        Self {
            last: policy.last,
            hourly: policy.hourly,
            daily: policy.daily,
            weekly: policy.weekly,
            monthly: policy.monthly,
            yearly: policy.yearly,
            within: policy.within,
            pre_restore_within: policy.pre_restore_within,
            automatic_within: policy.automatic_within,
        }
    }
}

describe! {
    /// One line of the timetable and when it is due next.
    struct Upcoming = schedule::Upcoming {
        /// The cron expression, as it was given.
        expression: String,
        /// When it is due next, RFC 3339.
        next_at: Option<DateTime<Utc>>,
    }
}

describe! {
    /// How the latest scheduled backup ended.
    struct LastRun = schedule::LastRun {
        /// When it ended, RFC 3339.
        at: DateTime<Utc>,
        /// How it ended.
        outcome: JobState,
        /// The backup that it made.
        #[schema(value_type = Option<String>, required = false, nullable = false)]
        backup_id: Option<BackupId>,
        /// Why it made none, or what went wrong with tidying up after it.
        #[schema(required = false, nullable = false)]
        detail: Option<String>,
    }
}

describe! {
    /// The verification round.
    struct VerificationStatus = automation::VerificationStatus {
        /// Within so many days every backup is proven again.
        period_days: f64,
        /// When the next backup has its turn.
        next_at: Option<DateTime<Utc>>,
        /// Since when the backup with the oldest proof is unproven.
        oldest_proven_at: Option<DateTime<Utc>>,
    }
}
