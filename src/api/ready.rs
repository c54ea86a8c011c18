//! `GET /api/ready`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::body::Health;
use crate::service::automation::HealthMonitor;

/// Whether the service may be sent requests
///
/// For load balancers: the store can be written and the database answers.
#[utoipa::path(
    get, path = "/api/ready", tag = "service", operation_id = "get_readiness", security(()),
    responses(
        (status = 200, description = "It may", body = Health),
        (status = 503, description = "It may not; `checks` says why", body = Health),
    )
)]
pub async fn ready(State(monitor): State<Arc<HealthMonitor>>) -> (StatusCode, Json<Health>) {
    let health = monitor.health().await;
    let status = if health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health.into()))
}
