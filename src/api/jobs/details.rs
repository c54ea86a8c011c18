//! `GET /api/jobs/{job_id}`

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use crate::api::access::{Caller, Viewer};
use crate::api::body::OneJob;
use crate::api::error::ApiError;
use crate::api::extract::Path;
use crate::api::guard::RowsHandedOut;
use crate::api::responses::OfOneJob;
use crate::service::jobs::{JobId, JobKind, Jobs};

/// One job, with its result once it has succeeded
#[utoipa::path(
    get, path = "/api/jobs/{job_id}", tag = "jobs", operation_id = "get_job",
    params(("job_id" = JobId, Path, description = "The job")),
    responses((status = 200, description = "The job", body = OneJob), OfOneJob)
)]
pub async fn details(
    _: Caller<Viewer>,
    State(jobs): State<Jobs>,
    Path(id): Path<JobId>,
) -> Result<Response, ApiError> {
    let job = jobs.find(id)?;
    let rows = matches!(job.kind, JobKind::Preview | JobKind::Diff) && job.result.is_some();
    let mut response = Json(OneJob::from(job)).into_response();
    if rows {
        response.extensions_mut().insert(RowsHandedOut);
    }
    Ok(response)
}
