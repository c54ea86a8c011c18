//! `GET /api/schedule`

use axum::Json;
use axum::extract::State;

use super::access::{Caller, Viewer};
use super::body::ScheduleStatus;
use crate::service::automation::ScheduleView;

/// What the service does by itself, and when
#[utoipa::path(
    get, path = "/api/schedule", tag = "service", operation_id = "get_schedule",
    responses((status = 200, description = "The schedule and its last run", body = ScheduleStatus))
)]
pub async fn schedule(_: Caller<Viewer>, State(view): State<ScheduleView>) -> Json<ScheduleStatus> {
    Json(view.status().await.into())
}
