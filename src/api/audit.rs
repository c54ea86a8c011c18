//! `GET /api/audit`

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::{Admin, Caller};
use super::error::ApiError;
use super::extract::{Query, at_most};
use crate::service::Service;
use crate::service::audit::{Entry, Newest};

/// How many to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// How many entries to list.
    #[param(default = 100, maximum = 1000)]
    limit: Option<usize>,
}

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

/// Who did what, newest first
#[utoipa::path(
    get, path = "/api/audit", tag = "service", operation_id = "get_audit_log", params(Parameters),
    responses((status = 200, description = "The newest entries", body = AuditLog))
)]
pub async fn audit(
    _: Caller<Admin>,
    State(service): State<Service>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<AuditLog>, ApiError> {
    let limit = at_most("limit", parameters.limit, 1000)?.unwrap_or(100);
    let Newest { entries, problems } = service.audit().newest(limit).await;
    Ok(Json(AuditLog { status: "success", entries, problems }))
}
