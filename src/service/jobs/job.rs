//! A job as it is seen from outside, and as `jobs.json` remembers it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::engine::Phase;
use crate::model::BackupId;
use crate::service::ServiceError;
use crate::service::jobs::failure::Failure;
use crate::service::jobs::result::{JobResult, if_understood};

/// The name of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(Uuid);

impl JobId {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = ServiceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = |_| ServiceError::MalformedJobId(text.chars().take(80).collect());
        text.parse().map(Self).map_err(malformed)
    }
}

impl TryFrom<String> for JobId {
    type Error = ServiceError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.to_string()
    }
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobKind {
    /// Makes a backup.
    Backup,
    /// Restores a backup.
    Restore,
    /// Finds out what a restore would change.
    Preview,
    /// Proves that backups are whole.
    Verify,
    /// Deletes what no rule keeps.
    Cleanup,
    /// Deletes one backup.
    Delete,
    /// Takes over a backup from an archive.
    Import,
    /// Compares with the live database.
    Diff,
    /// Copies backups into another store.
    Copy,
}

impl JobKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Backup,
        Self::Restore,
        Self::Preview,
        Self::Verify,
        Self::Cleanup,
        Self::Delete,
        Self::Import,
        Self::Diff,
        Self::Copy,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Preview => "preview",
            Self::Verify => "verify",
            Self::Cleanup => "cleanup",
            Self::Delete => "delete",
            Self::Import => "import",
            Self::Diff => "diff",
            Self::Copy => "copy",
        }
    }
}

/// Why a job was begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// Somebody asked.
    #[default]
    Request,
    /// It was time.
    Schedule,
}

/// How far a job's life has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// It waits for others.
    Queued,
    /// It is under way.
    Running,
    /// It did what it was asked; `result` says what.
    Succeeded,
    /// It did not; `failure` says why. Nothing is half-done.
    Failed,
    /// Somebody ended it.
    Cancelled,
    /// The service ended while it ran or waited. Nothing is half-done.
    Interrupted,
}

impl JobState {
    /// Those in which nothing more happens.
    pub const OVER: [Self; 4] = [Self::Succeeded, Self::Failed, Self::Cancelled, Self::Interrupted];

    /// Whether nothing more will happen to it.
    #[must_use]
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// How far a job's work is, and how fast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobProgress {
    /// What it is doing.
    pub phase: Phase,
    /// Rows done in this phase.
    pub rows: u64,
    /// Bytes done in this phase.
    pub bytes: u64,
    /// Rows that this phase will do, where that is known.
    pub total_rows: Option<u64>,
    /// Bytes that this phase will do, where that is known.
    pub total_bytes: Option<u64>,
    /// Rows a second, in this phase.
    pub rows_per_second: u64,
    /// Bytes a second, in this phase.
    pub bytes_per_second: u64,
    /// How long this phase will still take, where that can be told.
    pub seconds_left: Option<u64>,
}

/// A run of a use case that outlives the call that asked for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// Its name.
    pub job_id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// The backup that it is about, if it is about one.
    pub target: Option<BackupId>,
    /// Why it was begun.
    pub trigger: Trigger,
    /// How far its life has come.
    pub state: JobState,
    /// Who asked for it.
    pub created_by: String,
    /// The request that asked for it, as `x-request-id` named it.
    #[serde(default)]
    pub request_id: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was over.
    pub finished_at: Option<DateTime<Utc>>,
    /// How far it is.
    pub progress: JobProgress,
    /// Whether it can be cancelled now.
    pub cancellable: bool,
    /// What it gave, once it has succeeded. Large ones are forgotten sooner than the job.
    #[serde(deserialize_with = "if_understood")]
    pub result: Option<JobResult>,
    /// Why it did not succeed.
    #[serde(alias = "problem", deserialize_with = "if_understood")]
    pub failure: Option<Failure>,
}

impl Job {
    /// What it does to what, in words.
    #[must_use]
    pub fn title(&self) -> String {
        let kind = self.kind.name();
        self.target.as_ref().map_or_else(|| kind.to_owned(), |target| format!("{kind} of {target}"))
    }

    /// The same without its result, for lists and events.
    #[must_use]
    pub fn in_short(&self) -> Self {
        Self { result: None, ..self.clone() }
    }
}
