//! `GET /api/jobs/{job_id}/events`

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::api::access::{Caller, Viewer};
use crate::api::error::ApiError;
use crate::api::events::{Follower, LastEventId};
use crate::api::extract::Path;
use crate::api::responses::OfOneJob;
use crate::service::access::Callers;
use crate::service::jobs::{JobId, Jobs};

/// The events of one job, as server-sent events
///
/// Begins with the job as it is, and ends with the job. A client that comes back with
/// `Last-Event-ID` is told what is new; 204 tells it that nothing will come any more.
#[utoipa::path(
    get, path = "/api/jobs/{job_id}/events", tag = "jobs", operation_id = "follow_job",
    params(("job_id" = JobId, Path, description = "The job"), LastEventId),
    responses(
        (status = 200, description = "Events `job`, each with the job", body = String, content_type = "text/event-stream"),
        (status = 204, description = "The job is over, and its end was told already"),
        OfOneJob,
    )
)]
pub async fn events(
    caller: Caller<Viewer>,
    State(jobs): State<Jobs>,
    State(callers): State<Callers>,
    Path(id): Path<JobId>,
    LastEventId(last): LastEventId,
) -> Result<Response, ApiError> {
    let job = jobs.find(id)?;
    let after = last.unwrap_or(0);
    let new = jobs.changed_after(after);
    if job.state.is_over() && !new.iter().any(|(_, job)| job.job_id == id) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let follower = Follower::new(jobs, callers, caller.identity, after)?;
    Ok(follower.only(id).stream().into_response())
}
