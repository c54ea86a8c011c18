//! `GET /api/backups`

use axum::Json;
use axum::extract::State;

use crate::api::access::{Caller, Viewer};
use crate::api::body::BackupList;
use crate::api::error::ApiError;
use crate::service::Service;

/// All backups, newest first
#[utoipa::path(
    get, path = "/api/backups", tag = "backups", operation_id = "list_backups",
    responses((status = 200, description = "The backups", body = BackupList))
)]
pub async fn list(
    _: Caller<Viewer>,
    State(service): State<Service>,
) -> Result<Json<BackupList>, ApiError> {
    let mut list = service.engine().list().await?;
    list.unreadable = list.unreadable.iter().map(|one| service.without_places(one)).collect();
    Ok(Json(list.into()))
}
