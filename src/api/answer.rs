//! How a call that is a job is answered: with the job's outcome, or at once with the job.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::body::{Accepted, JobResult};
use super::error::ApiError;
use super::extract::Prefer;
use crate::engine::{Engine, EngineError};
use crate::model::BackupId;
use crate::service::jobs::{self, Job, JobId, Jobs, Order};
use crate::store::StoreError;

/// Has an order carried out. The caller waits for the end unless they prefer not to; if they hang
/// up meanwhile, the job goes on.
pub async fn carry_out(jobs: &Jobs, order: Order, prefer: Prefer) -> Result<Response, ApiError> {
    let job = jobs.submit(order)?;
    if prefer.respond_async {
        return Ok(accepted(job));
    }
    let result = result_of(jobs, job.job_id).await?;
    Ok(Json(JobResult::from(result)).into_response())
}

/// Waits for the end of a job.
///
/// # Errors
/// If the job failed.
pub async fn result_of(jobs: &Jobs, id: JobId) -> Result<jobs::JobResult, ApiError> {
    let job = jobs.ended(id).await?;
    match (job.result, job.failure) {
        (Some(result), _) => Ok(result),
        (None, Some(failure)) => Err(ApiError::Job(Box::new(failure))),
        (None, None) => Err(ApiError::Panicked),
    }
}

/// Refuses an id that is not there before it becomes a job. Whether the backup can be read is the
/// job's business.
pub async fn refuse_unknown(engine: &Engine, id: &BackupId) -> Result<(), ApiError> {
    match engine.store().manifest(id).await {
        Err(error @ StoreError::NoSuchBackup(_)) => Err(EngineError::from(error).into()),
        _ => Ok(()),
    }
}

fn accepted(job: Job) -> Response {
    let place = format!("/api/jobs/{}", job.job_id);
    let place = HeaderValue::from_str(&place).expect("an id is plain text");
    let applied = ("preference-applied", HeaderValue::from_static("respond-async"));
    let body = Json(Accepted::from(job));
    let mut response = (StatusCode::ACCEPTED, [applied], body).into_response();
    response.headers_mut().insert(header::LOCATION, place);
    response
}
