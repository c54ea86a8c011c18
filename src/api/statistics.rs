//! `GET /api/statistics`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::{Caller, Viewer};
use super::error::ApiError;
use crate::engine::StoreStatistics;
use crate::service::{DiskSpace, Service};

/// The disk that the store is on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Disk {
    /// Its size, and what is left of it.
    #[serde(flatten)]
    space: DiskSpace,
    /// When it will be full if the store goes on growing as it did; none where that cannot be told.
    full_in_days: Option<u64>,
}

/// The store and its disk in numbers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Statistics {
    /// The store.
    #[serde(flatten)]
    store: StoreStatistics,
    /// The disk that the store is on; none where the store is no folder.
    disk: Option<Disk>,
}

/// The store in numbers
#[utoipa::path(
    get, path = "/api/statistics", tag = "upkeep", operation_id = "get_statistics",
    responses((status = 200, description = "The store in numbers", body = Statistics))
)]
pub async fn statistics(
    _: Caller<Viewer>,
    State(service): State<Service>,
) -> Result<Json<Statistics>, ApiError> {
    let store = service.engine().stats().await?;
    let full_in_days = service.upkeep().full_in_days().await;
    let disk = service.upkeep().disk().map(|space| Disk { space, full_in_days });
    Ok(Json(Statistics { store, disk }))
}
