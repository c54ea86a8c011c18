//! `GET /api/live`

use axum::Json;
use axum::extract::State;

use super::access::{Caller, Viewer};
use super::body::LiveStatus;
use super::error::ApiError;
use crate::service::Overviews;
use crate::service::automation::Live;

/// What is known of the live rows
///
/// Reads nothing of the database: a backup, a restore, a preview and a comparison tell it.
#[utoipa::path(
    get, path = "/api/live", tag = "service", operation_id = "get_live",
    responses((status = 200, description = "How they differed when they were last read", body = LiveStatus))
)]
pub async fn live(
    _: Caller<Viewer>,
    State(live): State<Live>,
    State(overviews): State<Overviews>,
) -> Result<Json<LiveStatus>, ApiError> {
    let overview = overviews.look().await.ok();
    let reference = overview.and_then(|overview| overview.reference().cloned());
    Ok(Json(LiveStatus::new(reference, live.last_read())))
}
