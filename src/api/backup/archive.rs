//! `GET /api/backup/{backup_id}/archive`

use axum::extract::State;
use axum::response::Response;

use crate::api::access::{Caller, Viewer};
use crate::api::download;
use crate::api::error::ApiError;
use crate::api::extract::Path;
use crate::api::responses::OfBackup;
use crate::api::slots::DOWNLOADS;
use crate::engine::{Engine, Run};
use crate::model::BackupId;

/// The whole backup as a tar archive, as a download
///
/// An import makes the same backup of it again.
#[utoipa::path(
    get, path = "/api/backup/{backup_id}/archive", tag = "backups", operation_id = "download_archive",
    params(("backup_id" = BackupId, Path, description = "The backup")),
    responses((status = 200, description = "The archive", body = Vec<u8>, content_type = "application/x-tar"), OfBackup)
)]
pub async fn archive(
    caller: Caller<Viewer>,
    State(engine): State<Engine>,
    Path(id): Path<BackupId>,
) -> Result<Response, ApiError> {
    let slot = DOWNLOADS.take(Some(&caller.identity))?;
    let archive = engine.export_archive(&id, &Run::new()).await?;
    Ok(download::response(archive, slot))
}
