//! `GET /api/backup/{backup_id}`

use axum::Json;
use axum::extract::State;

use crate::api::access::{Caller, Viewer};
use crate::api::body::Details;
use crate::api::error::ApiError;
use crate::api::extract::Path;
use crate::api::responses::OfBackup;
use crate::engine::Engine;
use crate::model::BackupId;

/// Everything about one backup
#[utoipa::path(
    get, path = "/api/backup/{backup_id}", tag = "backups", operation_id = "get_backup",
    params(("backup_id" = BackupId, Path, description = "The backup")),
    responses((status = 200, description = "The backup", body = Details), OfBackup)
)]
pub async fn details(
    _: Caller<Viewer>,
    State(engine): State<Engine>,
    Path(id): Path<BackupId>,
) -> Result<Json<Details>, ApiError> {
    Ok(Json(engine.details(&id).await?.into()))
}
