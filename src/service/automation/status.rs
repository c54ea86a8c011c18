//! What the schedule says of itself.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::Policy;
use crate::service::automation::Upkeep;
use crate::service::notify::TargetStatus;
use crate::service::schedule::{LastRun, Upcoming};
use crate::threads::locked;

/// The schedule: what is due when, and how it went last.
#[derive(Debug, Clone)]
pub struct ScheduleStatus {
    /// The time zone of the expressions.
    pub time_zone: &'static str,
    /// When backups are due.
    pub schedules: Vec<Upcoming>,
    /// What is kept after each backup; everything if there is none.
    pub retention: Option<Policy>,
    /// The latest scheduled backup.
    pub last_run: Option<LastRun>,
    /// The verification round, if there is one.
    pub verification: Option<VerificationStatus>,
    /// Whom the service notifies.
    pub notices: Vec<TargetStatus>,
}

/// The verification round.
#[derive(Debug, Clone, Serialize)]
pub struct VerificationStatus {
    /// Within so many days every backup is proven again.
    pub period_days: f64,
    /// When the next backup has its turn.
    pub next_at: Option<DateTime<Utc>>,
    /// Since when the backup with the oldest proof is unproven.
    pub oldest_proven_at: Option<DateTime<Utc>>,
}

impl Upkeep {
    /// The schedule as it stands.
    pub async fn schedule(&self) -> ScheduleStatus {
        let plan = &self.0.plan;
        let last_run = self.0.memory.record().last_run.clone();
        ScheduleStatus {
            time_zone: plan.timetable.zone(),
            schedules: plan.timetable.upcoming(self.now()),
            retention: plan.retention.clone(),
            last_run,
            verification: self.verification().await,
            notices: self.notice_targets(),
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
