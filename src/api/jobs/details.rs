//! `GET /api/jobs/{job_id}`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::access::{Caller, Viewer};
use crate::api::error::ApiError;
use crate::api::extract::Path;
use crate::api::openapi::OfOneJob;
use crate::service::Service;
use crate::service::jobs::{Job, JobId};

/// One job.
#[derive(Debug, Serialize, ToSchema)]
pub struct OneJob {
    /// Always `success`: that of the call, not of the job.
    pub status: &'static str,
    /// The job.
    pub job: Job,
}

/// One job, with its result once it has succeeded
#[utoipa::path(
    get, path = "/api/jobs/{job_id}", tag = "jobs", operation_id = "get_job",
    params(("job_id" = JobId, Path, description = "The job")),
    responses((status = 200, description = "The job", body = OneJob), OfOneJob)
)]
pub async fn details(
    _: Caller<Viewer>,
    State(service): State<Service>,
    Path(id): Path<JobId>,
) -> Result<Json<OneJob>, ApiError> {
    Ok(Json(OneJob { status: "success", job: service.jobs().find(id)? }))
}
