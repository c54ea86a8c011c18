//! Jobs, their progress and their results.

use serde::Serialize;
use utoipa::ToSchema;

use super::describe::describe;
use super::{
    BackupCreated, CleanupReport, CopyReport, Deleted, DiffReport, Imported, Preview, Problem,
    Restored, SUCCESS, VerifyReport,
};
use crate::engine::{self, Phase};
use crate::model::rfc3339;
use crate::service::jobs::{self, JobId, JobKind, JobProgress, JobState, Trigger};

/// A run of a use case that outlives the call that asked for it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Job {
    /// Its name.
    pub job_id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// The backup that it is about, if it is about one.
    pub target: Option<String>,
    /// Why it was begun.
    pub trigger: Trigger,
    /// How far its life has come.
    pub state: JobState,
    /// Who asked for it.
    pub created_by: String,
    /// The request that asked for it, as `x-request-id` named it.
    pub request_id: Option<String>,
    /// When it was asked for, RFC 3339.
    pub created_at: String,
    /// When it began, RFC 3339.
    pub started_at: Option<String>,
    /// When it was over, RFC 3339.
    pub finished_at: Option<String>,
    /// How far it is.
    pub progress: JobProgress,
    /// Whether it can be cancelled now.
    pub cancellable: bool,
    /// The body that the call for the same thing answers with, once it has succeeded. Large ones
    /// are forgotten sooner than the job.
    pub result: Option<JobResult>,
    /// Why it did not succeed.
    pub problem: Option<Problem>,
}

/// What a job gave: the body of the call for the same thing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum JobResult {
    /// Of a backup.
    Backup(Box<BackupCreated>),
    /// Of a restore.
    Restore(Restored),
    /// Of a preview.
    Preview(Preview),
    /// Of a verification.
    Verify(VerifyReport),
    /// Of a cleanup.
    Cleanup(CleanupReport),
    /// Of a deletion.
    Delete(Deleted),
    /// Of an import.
    Import(Box<Imported>),
    /// Of a comparison.
    Diff(DiffReport),
    /// Of a copy into another store.
    Copy(CopyReport),
}

/// A job was taken on; where it is to be found stands in `Location`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// Always `accepted`.
    pub status: &'static str,
    /// The job.
    pub job: Job,
}

/// One job.
#[derive(Debug, Serialize, ToSchema)]
pub struct OneJob {
    /// Always `success`: that of the call, not of the job.
    pub status: &'static str,
    /// The job.
    pub job: Job,
}

/// The latest jobs.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobList {
    /// Always `success`.
    status: &'static str,
    /// Newest first, without their results.
    jobs: Vec<Job>,
}

impl From<jobs::JobResult> for JobResult {
    fn from(result: jobs::JobResult) -> Self {
        match result {
            jobs::JobResult::Backup(it) => Self::Backup(Box::new((*it).into())),
            jobs::JobResult::Restore(it) => Self::Restore(it.into()),
            jobs::JobResult::Preview(it) => Self::Preview(it.into()),
            jobs::JobResult::Verify(it) => Self::Verify(it.into()),
            jobs::JobResult::Cleanup(it) => Self::Cleanup(it.into()),
            jobs::JobResult::Delete(it) => Self::Delete(it.into()),
            jobs::JobResult::Import(it) => Self::Import(Box::new((*it).into())),
            jobs::JobResult::Diff(it) => Self::Diff(it.into()),
            jobs::JobResult::Copy(it) => Self::Copy(it.into()),
        }
    }
}

impl From<jobs::Job> for Job {
    fn from(job: jobs::Job) -> Self {
        Self {
            job_id: job.job_id,
            kind: job.kind,
            target: job.target.map(String::from),
            trigger: job.trigger,
            state: job.state,
            created_by: job.created_by,
            request_id: job.request_id,
            created_at: rfc3339(job.created_at),
            started_at: job.started_at.map(rfc3339),
            finished_at: job.finished_at.map(rfc3339),
            progress: job.progress,
            cancellable: job.cancellable,
            result: job.result.map(JobResult::from),
            problem: job.failure.map(Problem::from),
        }
    }
}

impl From<jobs::Job> for Accepted {
    fn from(job: jobs::Job) -> Self {
        Self { status: "accepted", job: job.into() }
    }
}

impl From<jobs::Job> for OneJob {
    fn from(job: jobs::Job) -> Self {
        Self { status: SUCCESS, job: job.into() }
    }
}

impl From<Vec<jobs::Job>> for JobList {
    fn from(jobs: Vec<jobs::Job>) -> Self {
        Self { status: SUCCESS, jobs: jobs.into_iter().map(Job::from).collect() }
    }
}

describe! {
    /// What a job does.
    #[schema(rename_all = "lowercase")]
    enum JobKind = jobs::JobKind {
        Backup, Restore, Preview, Verify, Cleanup, Delete, Import, Diff, Copy,
    }
}

describe! {
    /// Why a job was begun.
    #[schema(rename_all = "lowercase")]
    enum Trigger = jobs::Trigger { Request, Schedule }
}

describe! {
    /// How far a job's life has come.
    #[schema(rename_all = "lowercase")]
    enum JobState = jobs::JobState { Queued, Running, Succeeded, Failed, Cancelled, Interrupted }
}

describe! {
    /// How far a job's work is, and how fast.
    struct JobProgress = jobs::JobProgress {
        /// What it is doing.
        phase: Phase,
        /// Rows done in this phase.
        rows: u64,
        /// Bytes done in this phase.
        bytes: u64,
        /// Rows that this phase will do, where that is known.
        total_rows: Option<u64>,
        /// Bytes that this phase will do, where that is known.
        total_bytes: Option<u64>,
        /// Rows a second, in this phase.
        rows_per_second: u64,
        /// Bytes a second, in this phase.
        bytes_per_second: u64,
        /// How long this phase will still take, where that can be told.
        seconds_left: Option<u64>,
    }
}

describe! {
    /// What a run is doing.
    #[schema(rename_all = "snake_case")]
    enum Phase = engine::Phase {
        Starting, Verifying, Locking, Reading, Comparing, Applying, Proving, Committing, Sweeping,
        Exporting, Importing, Copying, Done,
    }
}
