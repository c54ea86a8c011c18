//! `GET /api/jobs`

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::access::{Caller, Viewer};
use crate::api::body::JobList;
use crate::api::error::ApiError;
use crate::api::extract::{Query, at_most};
use crate::service::jobs::Jobs;

/// How many to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// How many jobs to list.
    #[param(default = 50, maximum = 1000)]
    limit: Option<usize>,
}

/// The latest jobs, newest first
#[utoipa::path(
    get, path = "/api/jobs", tag = "jobs", operation_id = "list_jobs", params(Parameters),
    responses((status = 200, description = "The jobs, without their results", body = JobList))
)]
pub async fn list(
    _: Caller<Viewer>,
    State(jobs): State<Jobs>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<JobList>, ApiError> {
    let limit = at_most("limit", parameters.limit, 1000)?.unwrap_or(50);
    Ok(Json(jobs.latest(limit).into()))
}
