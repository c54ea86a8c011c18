//! What the schedule says of itself.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::Clock;
use crate::model::{BackupId, Policy};
use crate::service::automation::memory::Memory;
use crate::service::automation::retention::Retention;
use crate::service::automation::verification::{Verification, VerificationStatus};
use crate::service::notify::{Notifier, TargetStatus};
use crate::service::schedule::{LastRun, Timetable, Upcoming};

/// The schedule: what is due when, and how it went last.
#[derive(Debug, Clone)]
pub struct ScheduleStatus {
    /// The time zone of the expressions.
    pub time_zone: &'static str,
    /// When backups are due.
    pub schedules: Vec<Upcoming>,
    /// What is kept after each backup; everything if there is none.
    pub retention: Option<Policy>,
    /// What the retention rules would delete, if they are not in force until somebody confirms that.
    pub withheld: Vec<BackupId>,
    /// The time between two looks for changes, if there are any.
    pub watch: Option<Duration>,
    /// The latest scheduled backup.
    pub last_run: Option<LastRun>,
    /// The verification round, if there is one.
    pub verification: Option<VerificationStatus>,
    /// Whom the service notifies.
    pub notices: Vec<TargetStatus>,
}

/// Tells how the schedule stands. Cloning is cheap.
#[derive(Clone)]
pub struct ScheduleView {
    pub(super) timetable: Timetable,
    pub(super) retention: Arc<Retention>,
    pub(super) memory: Arc<Memory>,
    pub(super) verification: Option<Arc<Verification>>,
    pub(super) notifier: Notifier,
    pub(super) watch: Option<Duration>,
    pub(super) clock: Clock,
}

impl ScheduleView {
    /// The schedule as it stands.
    pub async fn status(&self) -> ScheduleStatus {
        let last_run = self.memory.record().last_run.clone();
        let verification = match &self.verification {
            Some(verification) => Some(verification.status().await),
            None => None,
        };
        ScheduleStatus {
            time_zone: self.timetable.zone(),
            schedules: self.timetable.upcoming((self.clock)()),
            retention: self.retention.policy().cloned(),
            withheld: self.retention.withheld().to_vec(),
            watch: self.watch,
            last_run,
            verification,
            notices: self.notifier.status(),
        }
    }
}
