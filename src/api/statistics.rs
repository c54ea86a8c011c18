//! `GET /api/statistics`

use axum::Json;
use axum::extract::State;

use super::access::{Caller, Viewer};
use super::body::Statistics;
use super::error::ApiError;
use crate::engine::Engine;
use crate::service::{self, Disk, Measures, Places};

/// The store in numbers
#[utoipa::path(
    get, path = "/api/statistics", tag = "upkeep", operation_id = "get_statistics",
    responses((status = 200, description = "The store in numbers", body = Statistics))
)]
pub async fn statistics(
    _: Caller<Viewer>,
    State(engine): State<Engine>,
    State(measures): State<Measures>,
    State(places): State<Places>,
) -> Result<Json<Statistics>, ApiError> {
    let mut store = engine.stats().await?;
    store.unreadable = store.unreadable.iter().map(|one| places.hide(one)).collect();
    let full_in_days = measures.full_in_days().await;
    let disk = measures.disk().map(|space| Disk { space, full_in_days });
    Ok(Json(service::Statistics { store, disk }.into()))
}
