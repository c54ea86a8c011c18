//! What the schedule says of itself.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::Upkeep;
use crate::model::{Age, Policy};
use crate::service::schedule::{LastRun, Upcoming};
use crate::threads::locked;

/// The schedule: what is due when, and how it went last.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ScheduleStatus {
    /// Always `success`.
    pub status: &'static str,
    /// The time zone of the expressions.
    pub time_zone: &'static str,
    /// When backups are due.
    pub schedules: Vec<Upcoming>,
    /// What is kept after each backup; everything if there is none.
    pub retention: Option<RetentionStatus>,
    /// The latest scheduled backup.
    pub last_run: Option<LastRun>,
    /// The verification round, if there is one.
    pub verification: Option<VerificationStatus>,
}

/// What is kept after each backup, beside what is pinned and the newest good one. Periods are those of UTC.
#[derive(Debug, Clone, Serialize, ToSchema)]
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
}

/// The verification round.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VerificationStatus {
    /// Within so many days every backup is proven again.
    pub period_days: f64,
    /// When the next backup has its turn.
    pub next_at: Option<DateTime<Utc>>,
    /// Since when the backup with the oldest proof is unproven.
    pub oldest_proven_at: Option<DateTime<Utc>>,
}

impl From<&Policy> for RetentionStatus {
    fn from(policy: &Policy) -> Self {
        Self {
            last: policy.last,
            hourly: policy.hourly,
            daily: policy.daily,
            weekly: policy.weekly,
            monthly: policy.monthly,
            yearly: policy.yearly,
            within: policy.within,
            pre_restore_within: policy.pre_restore_within,
        }
    }
}

impl Upkeep {
    /// The schedule as it stands.
    pub async fn schedule(&self) -> ScheduleStatus {
        let plan = &self.0.plan;
        let last_run = self.0.memory.record().last_run.clone();
        ScheduleStatus {
            status: "success",
            time_zone: plan.timetable.zone(),
            schedules: plan.timetable.upcoming(self.now()),
            retention: plan.retention.as_ref().map(RetentionStatus::from),
            last_run,
            verification: self.verification().await,
        }
    }

    async fn verification(&self) -> Option<VerificationStatus> {
        let period_days = self.0.plan.verify_within?.duration().as_seconds_f64() / 86_400.0;
        let Ok(overview) = self.overview().await else {
            return Some(VerificationStatus { period_days, next_at: None, oldest_proven_at: None });
        };
        let round = locked(&self.0.round);
        let next = round.as_ref().and_then(|round| round.next(&overview.proofs));
        let next_at = next.map(|(_, at)| at.max(self.now()));
        Some(VerificationStatus { period_days, next_at, oldest_proven_at: overview.oldest_proof() })
    }
}
