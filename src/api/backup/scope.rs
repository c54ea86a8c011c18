//! `GET /api/backup/{backup_id}/scopes/{scope}`

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::access::{Caller, Viewer};
use crate::api::body::ScopeValues;
use crate::api::error::ApiError;
use crate::api::extract::{Path, Query, at_most, words};
use crate::api::responses::OfBackup;
use crate::engine::Engine;
use crate::model::BackupId;

/// Which values to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Only those whose row holds this text.
    #[param(max_length = 200)]
    q: Option<String>,
    /// How many to list.
    #[param(default = 100, maximum = 1000)]
    limit: Option<usize>,
}

/// What a restore of a backup can be narrowed to
///
/// The rows of a scope, such as the VRFs, that the backup has.
#[utoipa::path(
    get, path = "/api/backup/{backup_id}/scopes/{scope}", tag = "backups", operation_id = "list_scope_values",
    params(
        ("backup_id" = BackupId, Path, description = "The backup"),
        ("scope" = String, Path, description = "The scope", example = "vrf"),
        Parameters),
    responses((status = 200, description = "The values", body = ScopeValues), OfBackup)
)]
pub async fn scope_values(
    _: Caller<Viewer>,
    State(engine): State<Engine>,
    Path((id, scope)): Path<(BackupId, String)>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<ScopeValues>, ApiError> {
    let text = words("q", parameters.q, 200)?.unwrap_or_default();
    let limit = at_most("limit", parameters.limit, 1000)?.unwrap_or(100);
    Ok(Json(engine.scope_values(&id, &scope, &text, limit).await?.into()))
}
