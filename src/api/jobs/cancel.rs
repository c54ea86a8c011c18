//! `POST /api/jobs/{job_id}/cancel`

use axum::Json;
use axum::extract::State;

use crate::api::access::{Caller, Operator};
use crate::api::body::OneJob;
use crate::api::error::ApiError;
use crate::api::extract::Path;
use crate::api::responses::{NotNow, OfOneJob};
use crate::service::jobs::{JobId, Jobs};

/// Cancel a job
///
/// When this is answered, nothing of the job is left in the database. A job whose changes are being
/// committed, or that is over, cannot be cancelled.
#[utoipa::path(
    post, path = "/api/jobs/{job_id}/cancel", tag = "jobs", operation_id = "cancel_job",
    params(("job_id" = JobId, Path, description = "The job")),
    responses((status = 200, description = "Cancelled", body = OneJob), OfOneJob, NotNow)
)]
pub async fn cancel(
    _: Caller<Operator>,
    State(jobs): State<Jobs>,
    Path(id): Path<JobId>,
) -> Result<Json<OneJob>, ApiError> {
    Ok(Json(jobs.cancel(id).await?.into()))
}
