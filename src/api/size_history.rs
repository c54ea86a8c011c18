//! `GET /api/statistics/history`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::{Caller, Viewer};
use super::error::ApiError;
use crate::service::Service;
use crate::service::sizes::Size;

/// How the store's size went.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sizes {
    /// Always `success`.
    status: &'static str,
    /// Oldest first; one after each job that changed the store. Of what is older than 90 days, the
    /// last of each day.
    sizes: Vec<Size>,
}

/// How the store's size went
#[utoipa::path(
    get, path = "/api/statistics/history", tag = "upkeep", operation_id = "get_sizes",
    responses((status = 200, description = "The sizes, oldest first", body = Sizes))
)]
pub async fn size_history(
    _: Caller<Viewer>,
    State(service): State<Service>,
) -> Result<Json<Sizes>, ApiError> {
    Ok(Json(Sizes { status: "success", sizes: service.upkeep().sizes().await? }))
}
