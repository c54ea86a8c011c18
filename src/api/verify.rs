//! `POST /api/verify`

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::access::{Caller, Operator};
use super::answer::carry_out;
use super::body::VerifyReport;
use super::error::ApiError;
use super::extract::{Body, Prefer};
use super::responses::{OfBackup, OfJob};
use crate::model::BackupId;
use crate::service::jobs::{Jobs, Work};

/// Which backups to verify.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The backups; none for all of them, and every object of the store besides.
    #[serde(default)]
    backups: Vec<BackupId>,
}

/// Prove that every byte is there and right
///
/// Damage is a finding, not a failure: the answer is 200 with the status `damaged`, and names the
/// backups and datasets that it affects.
#[utoipa::path(
    post, path = "/api/verify", tag = "upkeep", operation_id = "verify", request_body = VerifyRequest,
    params(Prefer),
    responses((status = 200, description = "What was found", body = VerifyReport), OfBackup, OfJob)
)]
pub async fn verify(
    caller: Caller<Operator>,
    State(jobs): State<Jobs>,
    prefer: Prefer,
    Body(request): Body<VerifyRequest>,
) -> Result<Response, ApiError> {
    carry_out(&jobs, caller.order(Work::Verify(request.backups)), prefer).await
}
