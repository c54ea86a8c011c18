//! `POST /api/backup`

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::access::{Caller, Operator};
use crate::api::answer::carry_out;
use crate::api::error::ApiError;
use crate::api::extract::{Prefer, Query, words};
use crate::api::openapi::OfJob;
use crate::engine::{BackupCreated, BackupRequest};
use crate::service::Service;
use crate::service::jobs::Work;
use crate::service::upkeep::SCHEDULE;

/// What to call it, and who asks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// What to call it; "Backup created on …" if nothing is said.
    #[param(max_length = 1000)]
    description: Option<String>,
    /// Who asks, if not the caller.
    #[param(max_length = 200)]
    created_by: Option<String>,
}

/// Make a backup
///
/// Reads one consistent snapshot of all tables while the application goes on. The new backup is
/// complete: no other is needed to restore it.
#[utoipa::path(
    post, path = "/api/backup", tag = "backups", operation_id = "create_backup", params(Asked, Prefer),
    responses((status = 200, description = "Made", body = BackupCreated), OfJob)
)]
pub async fn create(
    caller: Caller<Operator>,
    State(service): State<Service>,
    Query(asked): Query<Asked>,
    prefer: Prefer,
) -> Result<Response, ApiError> {
    if asked.created_by.as_deref() == Some(SCHEDULE) {
        return Err(ApiError::Malformed("created_by: only the schedule is called so".into()));
    }
    let request = BackupRequest {
        description: words("description", asked.description, 1000)?,
        created_by: words("created_by", asked.created_by, 200)?.or_else(|| caller.author()),
    };
    carry_out(&service, caller.order(Work::Backup(request)), prefer).await
}
