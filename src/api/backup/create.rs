//! `POST /api/backup`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::access::{Caller, Operator};
use crate::api::answer::{carry_out, result_of};
use crate::api::body::BackupCreated;
use crate::api::error::ApiError;
use crate::api::extract::{Lenient, Prefer, words};
use crate::api::responses::OfJob;
use crate::engine::{BackupRequest, Reading};
use crate::service::automation::Retention;
use crate::service::jobs::{JobResult, Jobs, Work};

/// What to call it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// What to call it; "Backup created on …" if nothing is said.
    #[param(max_length = 1000)]
    description: Option<String>,
    /// Go on where the database lacks a table that the backup before has.
    #[serde(default)]
    #[param(required = false, default = false)]
    allow_missing_tables: bool,
    /// Read all rows, even where it can be told which changed.
    #[serde(default)]
    #[param(required = false, default = false)]
    full: bool,
    /// Base backups on earlier ones again after a full read found other rows than the changes had told.
    #[serde(default)]
    #[param(required = false, default = false)]
    resume_incremental: bool,
}

/// Make a backup
///
/// Reads one consistent snapshot of all tables while the application goes on: what changed since the backup
/// before, or all rows where that cannot be told; `capture` says which. The new backup is
/// complete: no other is needed to restore it. The answer waits for the cleanup that follows by the
/// retention rules of the service, for at most 30 s, and names what it deleted. Its author is the caller, or `system` where no tokens
/// are asked for; nobody can name another.
#[utoipa::path(
    post, path = "/api/backup", tag = "backups", operation_id = "create_backup", params(Parameters, Prefer),
    responses((status = 200, description = "Made", body = BackupCreated), OfJob)
)]
pub async fn create(
    caller: Caller<Operator>,
    State(jobs): State<Jobs>,
    State(retention): State<Arc<Retention>>,
    Lenient(parameters): Lenient<Parameters>,
    prefer: Prefer,
) -> Result<Response, ApiError> {
    let request = BackupRequest {
        description: words("description", parameters.description, 1000)?,
        created_by: caller.author(),
        allow_missing_tables: parameters.allow_missing_tables,
        reading: Reading {
            full: parameters.full,
            resume: parameters.resume_incremental,
            ..Reading::default()
        },
        automatic: false,
    };
    let order = caller.order(Work::Backup(request));
    if prefer.respond_async {
        return carry_out(&jobs, order, prefer).await;
    }
    let job = jobs.submit(order)?;
    let JobResult::Backup(made) = result_of(&jobs, job.job_id).await? else {
        unreachable!("a backup job makes a backup")
    };
    let made = BackupCreated::from(*made);
    Ok(Json(made.with_deleted(retention.deleted_after(job.job_id).await)).into_response())
}
