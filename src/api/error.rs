//! Whatever fails is answered as `application/problem+json`. Status codes, and who acts on them:
//!
//! | status | code | who acts |
//! | --- | --- | --- |
//! | 400 | `malformed_request` | the caller: what was asked makes no sense |
//! | 401, 403 | `unauthenticated`, `forbidden`, `foreign_origin` | the caller: a token, or one that may do more |
//! | 404 | `no_such_backup`, `no_such_job`, `no_such_call` | the caller |
//! | 405, 413, 415 | `method_not_allowed`, `too_large`, `unsupported_media_type` | the caller |
//! | 409 | `busy`, `not_cancellable`, `cancelled` | the caller, later |
//! | 421 | `unknown_host` | the caller, or whoever runs the service: `--allowed-host` |
//! | 422 | `damaged`, `schema_mismatch` | whoever looks after the store or the database |
//! | 429 | `too_many_jobs`, `too_many_attempts`, `too_many_at_once` | the caller, later |
//! | 500 | `failed` | whoever reads the log; the caller is told no more |
//! | 503 | `database_unreachable`, `not_permitted`, `interrupted`, `shutting_down`, `overloaded`, `timed_out`, `tokens_unreadable` | whoever runs the service |

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::engine::{EngineError, Kind, Problem};
use crate::service::access::NotLetIn;
use crate::service::jobs::public_problem;
use crate::service::{Role, ServiceError};

/// Why a call was not answered as it wished.
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
    Job(Box<Problem>),
    /// What was asked makes no sense.
    #[error("{0}")]
    Malformed(String),
    /// The caller is not known.
    #[error(transparent)]
    NotLetIn(#[from] NotLetIn),
    /// The request was sent to a name that is not the service's own.
    #[error(
        "this service is not called by that name; whoever runs it may allow it (--allowed-host)"
    )]
    UnknownHost,
    /// A page of others wants to change something.
    #[error("a page of another origin may not change anything here")]
    ForeignOrigin,
    /// The caller may not do this.
    #[error("this needs the role {needed:?}; {name} has {role:?}")]
    Forbidden {
        /// Who calls.
        name: String,
        /// What they may do.
        role: Role,
        /// What they would have to be.
        needed: Role,
    },
    /// The API has no such path.
    #[error("there is no such call; /docs shows those that there are")]
    NoSuchCall,
    /// The path has no such method.
    #[error("this path does not take that method; /docs shows those that it takes")]
    MethodNotAllowed,
    /// The body is larger than is taken.
    #[error("{0}")]
    TooLarge(String),
    /// The body is not of a kind that is taken.
    #[error("{0}")]
    UnsupportedMediaType(String),
    /// The caller has as many of these under way as one may have.
    #[error(
        "you have {0} of these under way, as many as one may have; try again when one has ended"
    )]
    TooManyAtOnce(usize),
    /// Too many calls at once.
    #[error("too many calls are under way; try again in a moment")]
    Overloaded,
    /// It took too long.
    #[error("this took longer than {0} s and was given up; nothing was changed")]
    TimedOut(u64),
    /// A handler broke down.
    #[error("an inner failure; the service's log says more")]
    Panicked,
}

impl ApiError {
    /// What it means for the caller.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let new = |status, code, title| Problem::new(status, code, title, self.to_string());
        match self {
            Self::Engine(error) => public_problem(error),
            Self::Service(error) => problem_of_service(error),
            Self::Job(problem) => (**problem).clone(),
            Self::Malformed(_) => new(400, "malformed_request", "The request is malformed"),
            Self::NotLetIn(NotLetIn::NoToken | NotLetIn::UnknownToken) => {
                new(401, "unauthenticated", "Who are you?")
            }
            Self::NotLetIn(NotLetIn::TooManyUnknownTokens(_)) => {
                new(429, "too_many_attempts", "Too many attempts")
            }
            Self::NotLetIn(NotLetIn::Unreadable) => {
                new(503, "tokens_unreadable", "Nobody can be let in")
            }
            Self::UnknownHost => new(421, "unknown_host", "Not meant for this service"),
            Self::ForeignOrigin => new(403, "foreign_origin", "Not allowed"),
            Self::Forbidden { .. } => new(403, "forbidden", "Not allowed"),
            Self::NoSuchCall => new(404, "no_such_call", "No such call"),
            Self::MethodNotAllowed => new(405, "method_not_allowed", "No such method"),
            Self::TooLarge(_) => new(413, "too_large", "The body is too large"),
            Self::UnsupportedMediaType(_) => {
                new(415, "unsupported_media_type", "The body is of another kind")
            }
            Self::TooManyAtOnce(_) => new(429, "too_many_at_once", "Too many at once"),
            Self::Overloaded => new(503, "overloaded", "Too many calls"),
            Self::TimedOut(_) => new(503, "timed_out", "It took too long"),
            Self::Panicked => new(500, "failed", "It failed"),
        }
    }
}

fn problem_of_service(error: &ServiceError) -> Problem {
    let new = |status, code, title| Problem::new(status, code, title, error.to_string());
    match error {
        ServiceError::MalformedJobId(_) => {
            new(400, "malformed_request", "The request is malformed")
        }
        ServiceError::NoSuchJob(_) => new(404, "no_such_job", "No such job"),
        ServiceError::Busy(_) => new(409, "busy", "Another run is under way"),
        ServiceError::NotCancellable { .. } => {
            new(409, "not_cancellable", "The job cannot be cancelled")
        }
        ServiceError::TooManyJobs(_) | ServiceError::TooManyJobsOfOneCaller(_) => {
            new(429, "too_many_jobs", "Too many jobs wait")
        }
        ServiceError::ShuttingDown => new(503, "shutting_down", "The service is shutting down"),
        ServiceError::State { .. } | ServiceError::StateInUse(_) | ServiceError::Tokens(_) => {
            let detail = "the service cannot use its state folder; its log says why";
            Problem::new(500, "failed", "It failed", detail)
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
