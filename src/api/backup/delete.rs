//! `DELETE /api/backup/{backup_id}`

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::access::{Caller, Operator};
use crate::api::answer::{carry_out, refuse_unknown};
use crate::api::body::Deleted;
use crate::api::error::ApiError;
use crate::api::extract::{Lenient, Path, Prefer};
use crate::api::responses::{OfBackup, OfJob};
use crate::engine::Engine;
use crate::model::BackupId;
use crate::service::Role;
use crate::service::jobs::{Jobs, Work};

/// Whether it is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Only say what it would free. This an operator may ask, too.
    #[serde(default)]
    #[param(required = false)]
    dry_run: bool,
}

/// Delete a backup, and free what only it needed
#[utoipa::path(
    delete, path = "/api/backup/{backup_id}", tag = "backups", operation_id = "delete_backup",
    params(("backup_id" = BackupId, Path, description = "The backup"), Parameters, Prefer),
    responses((status = 200, description = "Deleted", body = Deleted), OfBackup, OfJob)
)]
pub async fn delete(
    caller: Caller<Operator>,
    State(engine): State<Engine>,
    State(jobs): State<Jobs>,
    Path(id): Path<BackupId>,
    Lenient(parameters): Lenient<Parameters>,
    prefer: Prefer,
) -> Result<Response, ApiError> {
    if parameters.dry_run {
        let would = engine.would_delete(&id).await?;
        return Ok(Json(Deleted::from(would)).into_response());
    }
    caller.must_be(Role::Admin)?;
    refuse_unknown(&engine, &id).await?;
    carry_out(&jobs, caller.order(Work::Delete(id)), prefer).await
}
