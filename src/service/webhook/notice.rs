//! What the webhook is told.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::model::BackupId;
use crate::service::jobs::Job;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A job failed; `failure` of the job says why.
    JobFailed,
    /// A verification found damage; `damage` says where.
    DamageFound,
    /// A backup was made after one or more had failed.
    BackupRecovered,
}

/// What is told.
#[derive(Debug, Clone)]
pub struct Notice {
    /// What happened.
    pub event: Event,
    /// The same whenever this notice is tried again.
    pub delivery_id: Uuid,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The name of the machine.
    pub host: String,
    /// The same in words.
    pub message: String,
    /// The job that it happened to, without its result.
    pub job: Job,
    /// A sentence for each damage.
    pub damage: Vec<String>,
    /// The latest backup that was made, if any is known.
    pub last_good_backup: Option<BackupId>,
}

impl Notice {
    /// Something happened to this job.
    #[must_use]
    pub fn new(event: Event, message: String, job: &Job, at: DateTime<Utc>) -> Self {
        let host = nix::unistd::gethostname().unwrap_or_default();
        Self {
            event,
            delivery_id: Uuid::new_v4(),
            at,
            host: host.to_string_lossy().into_owned(),
            message,
            job: job.in_short(),
            damage: Vec::new(),
            last_good_backup: None,
        }
    }
}
