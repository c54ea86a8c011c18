//! `POST /api/cleanup`

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::access::{Caller, Operator};
use super::answer::carry_out;
use super::body::CleanupReport;
use super::error::ApiError;
use super::extract::{Prefer, Query};
use super::responses::OfJob;
use crate::engine::{Engine, Run};
use crate::model::{Age, Policy};
use crate::service::Role;
use crate::service::jobs::{Jobs, Work};

/// What to keep. The other rules keep more than `keep` alone, never less.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// How many of the newest to keep. Safety backups take no place, and damaged ones none of good ones.
    #[param(default = 10)]
    keep: Option<usize>,
    /// Also the newest of each of the last so many hours that have a backup.
    #[serde(default)]
    #[param(required = false)]
    keep_hourly: usize,
    /// Also the newest of each of the last so many days that have a backup.
    #[serde(default)]
    #[param(required = false)]
    keep_daily: usize,
    /// Also the newest of each of the last so many weeks that have a backup.
    #[serde(default)]
    #[param(required = false)]
    keep_weekly: usize,
    /// Also the newest of each of the last so many months that have a backup.
    #[serde(default)]
    #[param(required = false)]
    keep_monthly: usize,
    /// Also the newest of each of the last so many years that have a backup.
    #[serde(default)]
    #[param(required = false)]
    keep_yearly: usize,
    /// Also all that are younger than this, counted from the newest.
    #[param(value_type = Option<String>, pattern = "^[0-9]{1,6}[hdw]$", example = "36h")]
    keep_within: Option<Age>,
    /// Safety backups that are younger than this, counted from the newest; the other rules neither
    /// keep nor count them.
    #[param(value_type = Option<String>, pattern = "^[0-9]{1,6}[hdw]$", default = "30d")]
    keep_pre_restore: Option<Age>,
    /// All backups that were made since something had changed and are younger than this, counted from the
    /// newest; of older ones one an hour for a day, one a day for 30 days and one a week for a year.
    #[param(value_type = Option<String>, pattern = "^[0-9]{1,6}[hdw]$", default = "1h")]
    keep_automatic: Option<Age>,
    /// Delete also the last backup if no rule keeps it.
    #[serde(default)]
    #[param(required = false)]
    allow_empty: bool,
    /// Only say what would go. This an operator may ask, too.
    #[serde(default)]
    #[param(required = false)]
    dry_run: bool,
}

impl Parameters {
    fn policy(&self) -> Policy {
        Policy {
            last: self.keep.unwrap_or(Policy::LAST),
            hourly: self.keep_hourly,
            daily: self.keep_daily,
            weekly: self.keep_weekly,
            monthly: self.keep_monthly,
            yearly: self.keep_yearly,
            within: self.keep_within,
            pre_restore_within: self
                .keep_pre_restore
                .unwrap_or_else(|| Policy::default().pre_restore_within),
            automatic_within: self
                .keep_automatic
                .unwrap_or_else(|| Policy::default().automatic_within),
            allow_empty: self.allow_empty,
        }
    }
}

/// Keep the newest backups and whatever is pinned, delete the others
#[utoipa::path(
    post, path = "/api/cleanup", tag = "upkeep", operation_id = "clean_up", params(Parameters, Prefer),
    responses((status = 200, description = "What went, or would go", body = CleanupReport), OfJob)
)]
pub async fn cleanup(
    caller: Caller<Operator>,
    State(engine): State<Engine>,
    State(jobs): State<Jobs>,
    Query(parameters): Query<Parameters>,
    prefer: Prefer,
) -> Result<Response, ApiError> {
    let policy = parameters.policy();
    if parameters.dry_run {
        let would = engine.cleanup(&policy, true, &Run::new()).await?;
        return Ok(Json(CleanupReport::from(would)).into_response());
    }
    caller.must_be(Role::Admin)?;
    carry_out(&jobs, caller.order(Work::Cleanup(policy)), prefer).await
}
