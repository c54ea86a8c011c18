//! `GET /api/history/{table}/{key}`

use axum::Json;
use axum::extract::State;

use super::access::{Caller, Viewer};
use super::body::History;
use super::error::ApiError;
use super::extract::Path;
use super::responses::OfBackup;
use crate::engine::Engine;
use crate::service::Places;

/// What became of one row through all backups
///
/// That no backup has the row is an answer, not a failure.
#[utoipa::path(
    get, path = "/api/history/{table}/{key}", tag = "compare", operation_id = "get_row_history",
    params(
        ("table" = String, Path, description = "The row's table", example = "vrf"),
        ("key" = String, Path, description = "The row's key, as a comparison shows it", example = "prod-vrf"),
    ),
    responses((status = 200, description = "The row's versions, newest first", body = History), OfBackup)
)]
pub async fn history(
    _: Caller<Viewer>,
    State(engine): State<Engine>,
    State(places): State<Places>,
    Path((table, key)): Path<(String, String)>,
) -> Result<Json<History>, ApiError> {
    let mut found = engine.history(&table, &key).await?;
    found.unreadable = found.unreadable.iter().map(|one| places.hide(one)).collect();
    Ok(Json(found.into()))
}
