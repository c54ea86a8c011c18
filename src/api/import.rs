//! `POST /api/import`

use std::io;

use axum::Extension;
use axum::body::Body;
use axum::extract::{FromRequest, Request, State};
use axum::http::header;
use axum::response::Response;
use futures::StreamExt;
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use tower_http::timeout::TimeoutError;
use utoipa::IntoParams;

use super::access::{Admin, Caller};
use super::answer::carry_out;
use super::body::Imported;
use super::error::ApiError;
use super::extract::{Prefer, Query};
use super::responses::OfJob;
use super::settings::Settings;
use super::slots::UPLOADS;
use crate::engine::{ImportOptions, TimeZone};
use crate::service::jobs::{Jobs, Work};
use crate::service::{ServiceError, StateFolder};

/// The kinds of body that are taken for an archive.
const KINDS: [&str; 2] = ["application/x-tar", "application/octet-stream"];

/// How times are meant.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// The zone of times that files of another form have without one, such as `Europe/Berlin`; that of
    /// the service if none is named.
    #[param(max_length = 80, example = "Europe/Berlin")]
    time_zone: Option<String>,
}

impl Parameters {
    fn time_zone(&self) -> Result<TimeZone, ApiError> {
        let named = self.time_zone.as_deref().map(str::parse::<TimeZone>).transpose();
        named.map(Option::unwrap_or_default).map_err(|error| ApiError::Malformed(error.to_string()))
    }
}

/// Take over a backup from an archive
///
/// Its rows are made into the same trees again, which must be those that the archive names: what
/// was changed on the way is refused. A tar of an older backup or of an export of the application is
/// taken, too: what such files lack is taken from the same row in the database, or derived.
#[utoipa::path(
    post, path = "/api/import", tag = "backups", operation_id = "import_archive",
    params(Parameters, Prefer),
    request_body(content = Vec<u8>, content_type = "application/x-tar"),
    responses((status = 200, description = "Taken over", body = Imported), OfJob)
)]
pub async fn import(
    caller: Caller<Admin>,
    State(jobs): State<Jobs>,
    State(state): State<StateFolder>,
    Extension(settings): Extension<Settings>,
    prefer: Prefer,
    Query(parameters): Query<Parameters>,
    ArchiveBody(body): ArchiveBody,
) -> Result<Response, ApiError> {
    let time_zone = parameters.time_zone()?;
    let slot = UPLOADS.take(Some(&caller.identity))?;
    let archive = spool(&state, body, &settings).await?;
    drop(slot);
    let options = ImportOptions { created_by: caller.author(), time_zone };
    carry_out(&jobs, caller.order(Work::Import(options, archive)), prefer).await
}

/// A body that is sent as an archive.
#[derive(Debug)]
pub struct ArchiveBody(Body);

impl<S: Send + Sync> FromRequest<S> for ArchiveBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if KINDS.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
            return Ok(Self(request.into_body()));
        }
        let words = format!("an archive is to be sent as {}", KINDS[0]);
        Err(ApiError::UnsupportedMediaType(words))
    }
}

/// Why a body did not come whole.
fn broken(error: axum::Error, settings: &Settings) -> ApiError {
    let inner = error.into_inner();
    if inner.is::<TimeoutError>() {
        return ApiError::TimedOut(settings.standstill.as_secs());
    }
    ApiError::Malformed(format!("the body did not come whole: {inner}"))
}

/// Keeps the whole body in a file that has no name and goes with its last user: a client that
/// hangs up later does not break the job, and nothing stays behind.
async fn spool(state: &StateFolder, body: Body, settings: &Settings) -> Result<File, ApiError> {
    let (folder, most) = (state.path(), settings.largest_upload);
    let failed = |source: io::Error| ServiceError::State { path: folder.to_owned(), source };
    let mut file = File::from_std(tempfile::tempfile_in(folder).map_err(failed)?);
    let mut blocks = body.into_data_stream();
    let mut bytes = 0;
    while let Some(block) = blocks.next().await {
        let block = block.map_err(|error| broken(error, settings))?;
        bytes += block.len() as u64;
        if bytes > most {
            return Err(ApiError::TooLarge(format!("an archive may have {most} bytes here")));
        }
        file.write_all(&block).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    file.rewind().await.map_err(failed)?;
    Ok(file)
}
