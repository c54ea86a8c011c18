//! `GET /api/statistics`

use axum::Json;
use axum::extract::State;

use super::access::{Caller, Viewer};
use super::body::Statistics;
use super::error::ApiError;
use crate::service::{self, Disk, Service};

/// The store in numbers
#[utoipa::path(
    get, path = "/api/statistics", tag = "upkeep", operation_id = "get_statistics",
    responses((status = 200, description = "The store in numbers", body = Statistics))
)]
pub async fn statistics(
    _: Caller<Viewer>,
    State(service): State<Service>,
) -> Result<Json<Statistics>, ApiError> {
    let mut store = service.engine().stats().await?;
    store.unreadable = store.unreadable.iter().map(|one| service.without_places(one)).collect();
    let full_in_days = service.upkeep().full_in_days().await;
    let disk = service.upkeep().disk().map(|space| Disk { space, full_in_days });
    Ok(Json(service::Statistics { store, disk }.into()))
}
