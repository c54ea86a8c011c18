//! Failures as problem documents: what an error is called, and its HTTP status code.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::{EngineError, Kind};
use crate::service::jobs::Failure;

/// An error as RFC 9457 has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: `code` tells problems apart.
    pub r#type: &'static str,
    /// The kind in words.
    pub title: &'static str,
    /// The HTTP status code.
    pub status: u16,
    /// What happened, for people.
    pub detail: String,
    /// The kind, stable, for programs.
    pub code: &'static str,
    /// What is damaged or does not fit, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub problems: Vec<String>,
    /// What one may do about it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hint: Option<Cow<'static, str>>,
}

impl Problem {
    /// A problem with this code.
    #[must_use]
    pub fn new(
        status: u16,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        let detail = detail.into();
        let (problems, hint) = (Vec::new(), None);
        Self { r#type: "about:blank", title, status, detail, code, problems, hint }
    }

    /// A problem of this kind.
    #[must_use]
    pub fn of(kind: Kind, detail: impl Into<String>) -> Self {
        let (status, title) = described(kind);
        Self::new(status, kind.code(), title, detail)
    }
}

/// The status code of this kind, and its name for people.
fn described(kind: Kind) -> (u16, &'static str) {
    match kind {
        Kind::Failed => (500, "It failed"),
        Kind::MalformedRequest => (400, "The request is malformed"),
        Kind::NoSuchBackup => (404, "No such backup"),
        Kind::Damaged => (422, "The backup is damaged"),
        Kind::MalformedArchive => (422, "The archive cannot be imported"),
        Kind::SchemaMismatch => (422, "The tables do not fit"),
        Kind::DatabaseUnreachable => (503, "The database is out of reach"),
        Kind::NotPermitted => (503, "The database does not permit it"),
        Kind::InTheWay => (409, "The database holds what stands in the way"),
        Kind::OtherDatabase => (409, "The backup is of another database"),
        Kind::ChangedSincePreview => (409, "The live rows have changed"),
        Kind::OutcomeUnknown => (500, "It is not known whether it took effect"),
        Kind::Busy => (409, "Another run is under way"),
        Kind::Stalled => (503, "No progress"),
        Kind::Interrupted => (503, "Interrupted"),
        Kind::Cancelled => (409, "Cancelled"),
    }
}

impl From<&EngineError> for Problem {
    fn from(error: &EngineError) -> Self {
        let hint = error.hint().map(Cow::from);
        let problem = Self::of(error.kind(), error.chain().join(": "));
        Self { problems: error.problems(), hint, ..problem }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let Failure { kind, detail, problems, hint } = failure;
        Self { problems, hint, ..Self::of(kind, detail) }
    }
}
