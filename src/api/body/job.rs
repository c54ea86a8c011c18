//! Jobs, their progress and their results.

use super::describe::describe;
use crate::engine::{self, Phase};
use crate::service::jobs;

describe! {
    /// What a job does.
    #[schema(rename_all = "lowercase")]
    enum JobKind = jobs::JobKind {
        Backup, Restore, Preview, Verify, Cleanup, Delete, Import, Diff,
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
        Exporting, Importing, Done,
    }
}
