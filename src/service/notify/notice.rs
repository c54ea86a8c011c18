//! Notices: what happened, how grave it is, and to which job.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::BackupId;
use crate::service::jobs::Job;

/// Event that a notice tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A job failed; `failure` of the job says why.
    JobFailed,
    /// A verification found damage; `damage` says where.
    DamageFound,
    /// A backup was made after one or more had failed.
    BackupRecovered,
    /// A backup was made.
    BackupMade,
    /// A scheduled backup was not made in time.
    Overdue,
    /// Scheduled backups were missed while the service was away; one is made now.
    Missed,
    /// A backup was not verified in time.
    VerificationOverdue,
    /// A backup was not copied into the other store in time.
    CopyOverdue,
    /// A full read found other rows than the changes since the backup before had told.
    IncrementalMismatch,
    /// The retention rules delete nothing, although they should.
    RetentionStuck,
    /// The disk of the store is filling.
    DiskFilling,
    /// Backups are younger than the clock says, or the clock stepped.
    ClockAhead,
    /// A condition of an earlier notice has ended.
    Resolved,
    /// Somebody asked for a notice, to see whether it arrives.
    Test,
}

/// Severity of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing needs to be done.
    Info,
    /// Somebody should look at it.
    Warning,
    /// Backups are missing or damaged.
    Critical,
}

impl Event {
    /// The word for it in messages and in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::JobFailed => "job_failed",
            Self::DamageFound => "damage_found",
            Self::BackupRecovered => "backup_recovered",
            Self::BackupMade => "backup_made",
            Self::Overdue => "overdue",
            Self::Missed => "missed",
            Self::VerificationOverdue => "verification_overdue",
            Self::CopyOverdue => "copy_overdue",
            Self::IncrementalMismatch => "incremental_mismatch",
            Self::RetentionStuck => "retention_stuck",
            Self::DiskFilling => "disk_filling",
            Self::ClockAhead => "clock_ahead",
            Self::Resolved => "resolved",
            Self::Test => "test",
        }
    }

    /// Returns its severity.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::JobFailed | Self::DamageFound | Self::Overdue | Self::IncrementalMismatch => {
                Severity::Critical
            }
            Self::Missed
            | Self::VerificationOverdue
            | Self::CopyOverdue
            | Self::RetentionStuck
            | Self::DiskFilling
            | Self::ClockAhead => Severity::Warning,
            Self::BackupRecovered | Self::BackupMade | Self::Resolved | Self::Test => {
                Severity::Info
            }
        }
    }
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Notice of an event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Notice {
    /// The event that it tells of.
    pub event: Event,
    /// The same whenever this notice is tried again.
    pub delivery_id: Uuid,
    /// Time of the event.
    pub at: DateTime<Utc>,
    /// The name of the machine.
    pub host: String,
    /// The same in words.
    pub message: String,
    /// The job that it happened to, if it happened to one, without its result.
    pub job: Option<Job>,
    /// A sentence for each damage.
    pub damage: Vec<String>,
    /// The latest backup that was made, if any is known.
    pub last_good_backup: Option<BackupId>,
}

impl Notice {
    /// Something happened.
    #[must_use]
    pub fn new(event: Event, message: impl Into<String>, at: DateTime<Utc>) -> Self {
        let host = nix::unistd::gethostname().unwrap_or_default();
        Self {
            event,
            delivery_id: Uuid::new_v4(),
            at,
            host: host.to_string_lossy().into_owned(),
            message: message.into(),
            job: None,
            damage: Vec::new(),
            last_good_backup: None,
        }
    }

    /// The same, as something that happened to this job.
    #[must_use]
    pub fn about(self, job: &Job) -> Self {
        Self { job: Some(job.in_short()), ..self }
    }
}
