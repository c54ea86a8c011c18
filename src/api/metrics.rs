//! `GET /metrics`

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::access::{Caller, Viewer};
use crate::service::Service;

const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What Prometheus reads
#[utoipa::path(
    get, path = "/metrics", tag = "service", operation_id = "get_metrics",
    responses((
        status = 200, description = "Counters and gauges as OpenMetrics text",
        body = String, content_type = "application/openmetrics-text",
    ))
)]
pub async fn metrics(_: Caller<Viewer>, State(service): State<Service>) -> Response {
    ([(header::CONTENT_TYPE, KIND)], service.upkeep().metrics_text().await).into_response()
}
