//! `GET /api/health`

use axum::Json;
use axum::extract::State;

use super::body::Health;
use crate::service::Service;

/// How the service is
///
/// For people and dashboards: always 200. Looks at the store and the database every few seconds at
/// most, however often it is asked.
#[utoipa::path(
    get, path = "/api/health", tag = "service", operation_id = "get_health", security(()),
    responses((status = 200, description = "What works, and what does not", body = Health))
)]
pub async fn health(State(service): State<Service>) -> Json<Health> {
    Json(service.upkeep().health().await.into())
}
