//! `GET /api/backup/{backup_id}/files/{dataset}`

use axum::extract::State;
use axum::response::Response;

use crate::api::access::{Caller, Viewer};
use crate::api::download;
use crate::api::error::ApiError;
use crate::api::extract::Path;
use crate::api::responses::OfBackup;
use crate::api::slots::DOWNLOADS;
use crate::engine::{Engine, Run};
use crate::model::{BackupId, Dataset};

/// A dataset file, as a download
#[utoipa::path(
    get, path = "/api/backup/{backup_id}/files/{dataset}", tag = "backups", operation_id = "download_dataset",
    params(
        ("backup_id" = BackupId, Path, description = "The backup"),
        ("dataset" = Dataset, Path, description = "The dataset"),
    ),
    responses((status = 200, description = "The file", body = Object, content_type = "application/json"), OfBackup)
)]
pub async fn file(
    caller: Caller<Viewer>,
    State(engine): State<Engine>,
    Path((id, dataset)): Path<(BackupId, String)>,
) -> Result<Response, ApiError> {
    let slot = DOWNLOADS.take(Some(&caller.identity))?;
    let file = engine.export_dataset(&id, &dataset, &Run::new()).await?;
    Ok(download::response(file, slot))
}
