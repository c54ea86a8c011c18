//! `GET /api/diff/{from}/{to}`

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::access::{Caller, Viewer};
use super::answer::carry_out;
use super::body::DiffReport;
use super::download;
use super::error::ApiError;
use super::extract::{Path, Prefer, Query, at_most};
use super::responses::{OfBackup, OfJob};
use super::slots::DOWNLOADS;
use crate::engine::{Engine, Formulas, Point, RowForm, Run};
use crate::service::Role;
use crate::service::jobs::{Jobs, Work};

/// How many rows to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Changed rows of each dataset to list.
    #[param(default = 100, maximum = 1000)]
    limit: Option<usize>,
    /// Every row, as a download; `Accept: text/csv` asks for CSV, too.
    #[param(inline)]
    format: Option<Format>,
    /// What becomes of texts in CSV that a spreadsheet would take for formulas.
    #[serde(default)]
    #[param(inline, required = false, default = "raw")]
    formulas: InCsv,
}

/// How CSV gives texts that begin like formulas.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum InCsv {
    /// As they are: every field is exactly the value.
    #[default]
    Raw,
    /// With an apostrophe in front, for spreadsheets.
    Escape,
}

/// The form of a download.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A line for each cell that differs.
    Csv,
    /// A JSON object for each row that differs, one on each line.
    Json,
}

impl Parameters {
    fn form(&self, headers: &HeaderMap) -> Option<RowForm> {
        let accepts_csv = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.trim_start().starts_with("text/csv"));
        let formulas = match self.formulas {
            InCsv::Raw => Formulas::Raw,
            InCsv::Escape => Formulas::Escape,
        };
        match self.format {
            Some(Format::Json) => Some(RowForm::JsonLines),
            Some(Format::Csv) => Some(RowForm::Csv(formulas)),
            None => accepts_csv.then_some(RowForm::Csv(formulas)),
        }
    }
}

/// Which rows differ between two points
///
/// A point is a backup or `live`. Lists the first rows of each dataset, or gives all of them as a
/// download. What involves the live database is a job, and needs an operator.
#[utoipa::path(
    get, path = "/api/diff/{from}/{to}", tag = "compare", operation_id = "compare",
    params(
        ("from" = String, Path, description = "A backup, or `live`", pattern = r"^(\d{8}_\d{6}|live)$"),
        ("to" = String, Path, description = "A backup, or `live`", pattern = r"^(\d{8}_\d{6}|live)$"),
        Parameters, Prefer),
    responses((status = 200, description = "What differs", content(
            (DiffReport = "application/json"),
            (String = "text/csv"),
            (String = "application/jsonl"),
        )), OfBackup, OfJob)
)]
pub async fn diff(
    caller: Caller<Viewer>,
    State(engine): State<Engine>,
    State(jobs): State<Jobs>,
    Path((from, to)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
    prefer: Prefer,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (from, to): (Point, Point) = (from.parse()?, to.parse()?);
    let limit = at_most("limit", parameters.limit, 1000)?.unwrap_or(100);
    let live = from == Point::Live || to == Point::Live;
    if live {
        caller.must_be(Role::Operator)?;
    }
    if let Some(form) = parameters.form(&headers) {
        let slot = DOWNLOADS.take(Some(&caller.identity))?;
        let rows = engine.changed_rows(&from, &to, form, &Run::new()).await?;
        return Ok(download::response(rows, slot));
    }
    if !live {
        let report = engine.diff(&from, &to, limit, &Run::new()).await?;
        return Ok(Json(DiffReport::from(report)).into_response());
    }
    carry_out(&jobs, caller.order(Work::Diff(from, to, limit)), prefer).await
}
