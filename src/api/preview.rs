//! `POST /api/preview/{backup_id}`

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::access::{Caller, Operator};
use super::answer::{carry_out, refuse_unknown};
use super::body::Preview;
use super::error::ApiError;
use super::extract::{Path, Prefer, Query, at_most};
use super::responses::{OfBackup, OfJob};
use super::restore::selection;
use crate::engine::{Engine, RestoreOptions};
use crate::model::BackupId;
use crate::service::jobs::{Jobs, Work};

/// What would be restored, and how many rows to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Only these datasets, and what their rows need; separated by commas.
    #[param(example = "vrfs,prefixes", pattern = "^[a-z_]+(,[a-z_]+)*$")]
    dataset: Option<String>,
    /// Only what belongs to this VRF, and what its rows need.
    #[param(max_length = 200)]
    vrf: Option<String>,
    /// As in the restore.
    #[serde(default)]
    #[param(required = false, default = false)]
    merge: bool,
    /// As in the restore.
    #[serde(default)]
    #[param(required = false, default = false)]
    allow_schema_drift: bool,
    /// Changed rows of each dataset to list.
    #[param(default = 100, maximum = 1000)]
    limit: Option<usize>,
}

/// What a restore would change
///
/// Reads the live database and changes nothing.
#[utoipa::path(
    post, path = "/api/preview/{backup_id}", tag = "restore", operation_id = "preview_restore",
    params(("backup_id" = BackupId, Path, description = "The backup"), Parameters, Prefer),
    responses((status = 200, description = "What would change", body = Preview), OfBackup, OfJob)
)]
pub async fn preview(
    caller: Caller<Operator>,
    State(engine): State<Engine>,
    State(jobs): State<Jobs>,
    Path(id): Path<BackupId>,
    Query(parameters): Query<Parameters>,
    prefer: Prefer,
) -> Result<Response, ApiError> {
    let selection = selection(engine.profile(), parameters.dataset.as_deref(), parameters.vrf)?;
    let (merge, allow_schema_drift) = (parameters.merge, parameters.allow_schema_drift);
    let options =
        RestoreOptions { selection, merge, allow_schema_drift, ..RestoreOptions::default() };
    let limit = at_most("limit", parameters.limit, 1000)?.unwrap_or(100);
    refuse_unknown(&engine, &id).await?;
    carry_out(&jobs, caller.order(Work::Preview(id, options, limit)), prefer).await
}
