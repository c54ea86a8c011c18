//! `GET /api/diff/{from}/{to}`

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::access::{Caller, Viewer};
use super::answer::carry_out;
use super::error::ApiError;
use super::extract::{Path, Prefer, Query, at_most};
use super::openapi::{OfBackup, OfJob};
use crate::engine::{DiffReport, Point, Run};
use crate::service::jobs::Work;
use crate::service::{Role, Service};

/// How many rows to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// Changed rows of each dataset to list.
    #[param(default = 100, maximum = 1000)]
    limit: Option<usize>,
}

/// Which rows differ between two points
///
/// A point is a backup or `live`. What involves the live database is a job, and needs an operator.
#[utoipa::path(
    get, path = "/api/diff/{from}/{to}", tag = "compare",
    params(
        ("from" = String, Path, description = "A backup, or `live`", pattern = r"^(\d{8}_\d{6}|live)$"),
        ("to" = String, Path, description = "A backup, or `live`", pattern = r"^(\d{8}_\d{6}|live)$"),
        Asked,
    ),
    responses((status = 200, description = "What differs", body = DiffReport), OfBackup, OfJob)
)]
pub async fn diff(
    caller: Caller<Viewer>,
    State(service): State<Service>,
    Path((from, to)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    prefer: Prefer,
) -> Result<Response, ApiError> {
    let (from, to): (Point, Point) = (from.parse()?, to.parse()?);
    let limit = at_most("limit", asked.limit, 1000)?.unwrap_or(100);
    if from != Point::Live && to != Point::Live {
        let report = service.engine().diff(&from, &to, limit, &Run::new()).await?;
        return Ok(Json(report).into_response());
    }
    caller.must_be(Role::Operator)?;
    carry_out(&service, caller.order(Work::Diff(from, to, limit)), prefer).await
}
