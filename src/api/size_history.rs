//! `GET /api/statistics/history`

use axum::Json;
use axum::extract::State;

use super::access::{Caller, Viewer};
use super::body::Sizes;
use super::error::ApiError;
use crate::service::Measures;

/// How the store's size went
#[utoipa::path(
    get, path = "/api/statistics/history", tag = "upkeep", operation_id = "get_sizes",
    responses((status = 200, description = "The sizes, oldest first", body = Sizes))
)]
pub async fn size_history(
    _: Caller<Viewer>,
    State(measures): State<Measures>,
) -> Result<Json<Sizes>, ApiError> {
    Ok(Json(measures.sizes().await?.into()))
}
