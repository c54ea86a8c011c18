//! `GET /api/backup/{backup_id}`

use std::time::Duration;

use axum::Json;
use axum::extract::State;

use crate::api::access::{Caller, Viewer};
use crate::api::body::Details;
use crate::api::error::ApiError;
use crate::api::extract::Path;
use crate::api::responses::OfBackup;
use crate::engine::Engine;
use crate::model::BackupId;

/// How long an answer waits for the sizes of the files to be measured.
const MEASURING: Duration = Duration::from_secs(2);

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
    Ok(Json(engine.details(&id, MEASURING).await?.into()))
}
