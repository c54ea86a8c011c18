//! `GET /api/statistics/history`

use axum::Json;
use axum::extract::State;

use super::access::{Caller, Viewer};
use super::body::Sizes;
use super::error::ApiError;
use crate::service::Service;

/// How the store's size went
#[utoipa::path(
    get, path = "/api/statistics/history", tag = "upkeep", operation_id = "get_sizes",
    responses((status = 200, description = "The sizes, oldest first", body = Sizes))
)]
pub async fn size_history(
    _: Caller<Viewer>,
    State(service): State<Service>,
) -> Result<Json<Sizes>, ApiError> {
    Ok(Json(service.upkeep().sizes().await?.into()))
}
