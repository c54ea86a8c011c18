//! `GET /api/health`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::body::Health;
use super::extract::Query;
use crate::service::automation::Condition;
use crate::service::automation::HealthMonitor;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Answer 503 unless the status is `ok`; with or without a value
    strict: Option<String>,
}

/// How the service is
///
/// For people and dashboards: 200 however it is, unless asked with `strict`. Looks at the store and the
/// database every few seconds at most, however often it is asked.
#[utoipa::path(
    get, path = "/api/health", tag = "service", operation_id = "get_health", security(()),
    params(Parameters),
    responses(
        (status = 200, description = "What works, and what does not", body = Health),
        (status = 503, description = "Asked with `strict`: the status is not `ok`", body = Health),
    )
)]
pub async fn health(
    State(monitor): State<Arc<HealthMonitor>>,
    Query(Parameters { strict }): Query<Parameters>,
) -> (StatusCode, Json<Health>) {
    let health = monitor.health().await;
    let strict = strict.is_some_and(|strict| strict != "false");
    let status = if strict && health.condition != Condition::Ok {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    (status, Json(health.into()))
}
