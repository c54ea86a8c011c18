//! `GET /api/audit`

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::access::{Admin, Caller};
use super::body::AuditLog;
use super::error::ApiError;
use super::extract::{Query, at_most};
use crate::service::Audit;

/// How many to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// How many entries to list.
    #[param(default = 100, maximum = 1000)]
    limit: Option<usize>,
    /// Also what only looked at rows.
    #[serde(default = "yes")]
    #[param(required = false, default = true)]
    reads: bool,
}

fn yes() -> bool {
    true
}

/// Who did what, newest first
#[utoipa::path(
    get, path = "/api/audit", tag = "service", operation_id = "get_audit_log", params(Parameters),
    responses((status = 200, description = "The newest entries", body = AuditLog))
)]
pub async fn audit(
    _: Caller<Admin>,
    State(audit): State<Audit>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<AuditLog>, ApiError> {
    let limit = at_most("limit", parameters.limit, 1000)?.unwrap_or(100);
    let newest = if parameters.reads {
        audit.newest(limit).await
    } else {
        audit.newest_changes(limit).await
    };
    Ok(Json(newest.into()))
}
