//! `GET /api/backups`

use axum::Json;
use axum::extract::State;

use crate::api::access::{Caller, Viewer};
use crate::api::body::BackupList;
use crate::api::error::ApiError;
use crate::engine::Engine;
use crate::service::{Overviews, Places};

/// All backups, newest first
#[utoipa::path(
    get, path = "/api/backups", tag = "backups", operation_id = "list_backups",
    responses((status = 200, description = "The backups", body = BackupList))
)]
pub async fn list(
    _: Caller<Viewer>,
    State(engine): State<Engine>,
    State(places): State<Places>,
    State(overviews): State<Overviews>,
) -> Result<Json<BackupList>, ApiError> {
    let mut list = engine.list().await?;
    overviews.learn(&list).await;
    list.unreadable = list.unreadable.iter().map(|one| places.hide(one)).collect();
    Ok(Json(list.into()))
}
