//! `GET /metrics`

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::access::{Caller, Viewer};
use crate::engine::Clock;
use crate::service::jobs::Jobs;
use crate::service::observe::exposition::exposition;
use crate::service::{Measures, Metrics, Overviews};

const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What Prometheus reads
#[utoipa::path(
    get, path = "/metrics", tag = "service", operation_id = "get_metrics",
    responses((
        status = 200, description = "Counters and gauges as OpenMetrics text",
        body = String, content_type = "application/openmetrics-text",
    ))
)]
pub async fn metrics(
    _: Caller<Viewer>,
    State(metrics): State<Arc<Metrics>>,
    State(jobs): State<Jobs>,
    State(measures): State<Measures>,
    State(overviews): State<Overviews>,
    State(clock): State<Clock>,
) -> impl IntoResponse {
    let text = exposition(&metrics, &jobs, &measures, &overviews, clock()).await;
    ([(header::CONTENT_TYPE, KIND)], text)
}
