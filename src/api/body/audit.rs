//! Who calls, and who did what.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::describe::describe;
use crate::service::audit::{self, Entry, Newest, Outcome};
use crate::service::jobs::JobId;
use crate::service::{self, Role};

/// The newest entries of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditLog {
    /// Always `success`.
    status: &'static str,
    /// Newest first.
    entries: Vec<Entry>,
    /// What of the log is damaged or cannot be read, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<String>,
}

impl From<Newest> for AuditLog {
    fn from(newest: Newest) -> Self {
        let Newest { entries, problems } = newest;
        Self { status: super::SUCCESS, entries, problems }
    }
}

describe! {
    /// One thing that somebody did, or wanted to.
    struct Entry = audit::Entry {
        /// When it was over.
        at: DateTime<Utc>,
        /// The token's name; `system` on a service without tokens, `schedule` if nobody asked, nobody if
        /// it is not known who.
        who: Option<String>,
        /// What they may do.
        role: Option<Role>,
        /// What it was: a job's kind, or a call as `METHOD /path`.
        action: String,
        /// The backup that it was about.
        target: Option<String>,
        /// How it went.
        outcome: Outcome,
        /// Why it went so.
        #[schema(required = false, nullable = false)]
        detail: Option<String>,
        /// The job that did it.
        #[schema(value_type = Option<String>, required = false, nullable = false)]
        job_id: Option<JobId>,
        /// The request that asked for it, as `x-request-id` named it.
        #[schema(required = false, nullable = false)]
        request_id: Option<String>,
    }
}

describe! {
    /// How it went.
    #[schema(rename_all = "lowercase")]
    enum Outcome = audit::Outcome { Refused, Accepted, Succeeded, Failed, Cancelled, Interrupted }
}

describe! {
    /// What a caller may do.
    #[schema(rename_all = "lowercase")]
    enum Role = service::Role { Viewer, Operator, Admin }
}
