//! `GET /api/backup/{backup_id}/changes`

use axum::Json;
use axum::extract::State;

use crate::api::access::{Caller, Viewer};
use crate::api::body::Changes;
use crate::api::error::ApiError;
use crate::api::extract::Path;
use crate::api::responses::OfBackup;
use crate::engine::Engine;
use crate::model::BackupId;

/// What a backup changed against the one before it, in numbers
#[utoipa::path(
    get, path = "/api/backup/{backup_id}/changes", tag = "compare", operation_id = "get_changes",
    params(("backup_id" = BackupId, Path, description = "The backup")),
    responses((status = 200, description = "Rows that differ, in numbers", body = Changes), OfBackup)
)]
pub async fn changes(
    _: Caller<Viewer>,
    State(engine): State<Engine>,
    Path(id): Path<BackupId>,
) -> Result<Json<Changes>, ApiError> {
    Ok(Json(engine.changes(&id).await?.into()))
}
