//! Whatever fails is answered as `application/problem+json`. Status codes, and who acts on them:
//!
//! | status | code | who acts |
//! | --- | --- | --- |
//! | 400 | `malformed_request` | the caller: what was asked makes no sense |
//! | 401 (403 beside a proxy's `Authorization`), 403 | `unauthenticated`, `forbidden`, `foreign_origin` | the caller: a token, or one that may do more |
//! | 404 | `no_such_backup`, `no_such_job`, `no_such_comparison`, `no_such_call` | the caller |
//! | 405, 413, 415 | `method_not_allowed`, `too_large`, `unsupported_media_type` | the caller |
//! | 409 | `busy`, `changed_since_preview`, `not_cancellable`, `cancelled` | the caller, later |
//! | 421 | `unknown_host` | the caller, or whoever runs the service: `--allowed-host` |
//! | 422 | `damaged`, `schema_mismatch` | whoever looks after the store or the database |
//! | 429 | `too_many_jobs`, `too_many_attempts`, `too_many_at_once` | the caller, later |
//! | 500 | `failed` | whoever reads the log; the caller is told no more |
//! | 503 | `database_unreachable`, `not_permitted`, `interrupted`, `shutting_down`, `overloaded`, `timed_out`, `tokens_unreadable` | whoever runs the service |

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::body::Problem;
use crate::engine::{EngineError, Kind};
use crate::service::access::NotLetIn;
use crate::service::jobs::Failure;
use crate::service::{Role, ServiceError};

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// A use case failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The service refused.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// A job did not succeed.
    #[error("{}", .0.detail)]
    Job(Box<Failure>),
    /// The request is malformed.
    #[error("{0}")]
    Malformed(String),
    /// The caller is not known.
    #[error(transparent)]
    NotLetIn(#[from] NotLetIn),
    /// The request was sent to a name that is not the service's own.
    #[error("{0}")]
    UnknownHost(String),
    /// The request came from a page of another origin.
    #[error("{0}")]
    ForeignOrigin(String),
    /// The caller may not do this.
    #[error("requires the role {needed:?}; {name} has {role:?}")]
    Forbidden {
        /// Who calls.
        name: String,
        /// What they may do.
        role: Role,
        /// What they would have to be.
        needed: Role,
    },
    /// No comparison of this name is kept.
    #[error("no such comparison is kept; compare again")]
    NoSuchComparison,
    /// No endpoint has this path.
    #[error("no such endpoint; see /docs")]
    NoSuchCall,
    /// The path has no such method.
    #[error("method not allowed on this path; see /docs")]
    MethodNotAllowed,
    /// The body is larger than is taken.
    #[error("{0}")]
    TooLarge(String),
    /// The body is not of a kind that is taken.
    #[error("{0}")]
    UnsupportedMediaType(String),
    /// The caller has as many of these under way as one may have.
    #[error(
        "you have {0} of these open, the maximum for one caller; try again after one has ended"
    )]
    TooManyAtOnce(usize),
    /// Too many requests are in progress.
    #[error("too many requests in progress; try again later")]
    Overloaded,
    /// The request timed out.
    #[error("timed out after {0} s; nothing was changed")]
    TimedOut(u64),
    /// A handler panicked.
    #[error("internal error; see the service log")]
    Panicked,
}

impl ApiError {
    /// What it means for the caller.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let new = |status, code, title| Problem::new(status, code, title, self.to_string());
        match self {
            Self::Engine(error) => Failure::from(error).into(),
            Self::Service(error) => problem_of_service(error),
            Self::Job(failure) => Problem::from((**failure).clone()),
            Self::Malformed(_) => new(400, "malformed_request", "Malformed request"),
            Self::NotLetIn(NotLetIn::NoToken | NotLetIn::UnknownToken) => {
                new(401, "unauthenticated", "Authentication required")
            }
            Self::NotLetIn(NotLetIn::TooManyUnknownTokens(_)) => {
                new(429, "too_many_attempts", "Too many attempts")
            }
            Self::NotLetIn(NotLetIn::Unreadable) => {
                new(503, "tokens_unreadable", "Tokens unreadable")
            }
            Self::UnknownHost(_) => new(421, "unknown_host", "Unknown host"),
            Self::ForeignOrigin(_) => new(403, "foreign_origin", "Cross-origin request"),
            Self::Forbidden { .. } => new(403, "forbidden", "Forbidden"),
            Self::NoSuchComparison => new(404, "no_such_comparison", "No such comparison"),
            Self::NoSuchCall => new(404, "no_such_call", "No such endpoint"),
            Self::MethodNotAllowed => new(405, "method_not_allowed", "Method not allowed"),
            Self::TooLarge(_) => new(413, "too_large", "Body too large"),
            Self::UnsupportedMediaType(_) => {
                new(415, "unsupported_media_type", "Unsupported media type")
            }
            Self::TooManyAtOnce(_) => new(429, "too_many_at_once", "Too many concurrent requests"),
            Self::Overloaded => new(503, "overloaded", "Overloaded"),
            Self::TimedOut(_) => new(503, "timed_out", "Timed out"),
            Self::Panicked => new(500, "failed", "Internal error"),
        }
    }
}

fn problem_of_service(error: &ServiceError) -> Problem {
    let new = |status, code, title| Problem::new(status, code, title, error.to_string());
    match error {
        ServiceError::MalformedJobId(_) => new(400, "malformed_request", "Malformed request"),
        ServiceError::NoSuchJob(_) => new(404, "no_such_job", "No such job"),
        ServiceError::Busy(_) => new(409, "busy", "Busy"),
        ServiceError::NotCancellable { .. } => new(409, "not_cancellable", "Job not cancellable"),
        ServiceError::TooManyJobs(_) | ServiceError::TooManyJobsOfOneCaller(_) => {
            new(429, "too_many_jobs", "Too many jobs")
        }
        ServiceError::ShuttingDown => new(503, "shutting_down", "The service is shutting down"),
        ServiceError::State { .. } | ServiceError::StateInUse(_) | ServiceError::Tokens(_) => {
            let detail = "the state folder cannot be used; see the service log";
            Problem::new(500, "failed", "Internal error", detail)
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = self.problem();
        match &self {
            Self::Engine(error) if error.kind() == Kind::Failed => {
                tracing::error!("failed: {}", error.chain().join(": "));
            }
            Self::Service(error @ (ServiceError::State { .. } | ServiceError::StateInUse(_))) => {
                tracing::error!("failed: {error}");
            }
            _ => tracing::debug!(code = %problem.code, "refused: {}", problem.detail),
        }
        response(&problem)
    }
}

/// This problem as an answer.
pub fn response(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_vec(problem).expect("a problem is plain data");
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/problem+json");
    headers.insert(header::CONTENT_TYPE, kind);
    if matches!(problem.status, 429 | 503) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    if problem.status == 401 {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    // For the audit log.
    response.extensions_mut().insert(problem.clone());
    response
}
