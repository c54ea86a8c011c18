//! `POST /api/restore/{backup_id}`

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::access::{Admin, Caller};
use super::answer::{carry_out, refuse_unknown};
use super::body::Restored;
use super::error::ApiError;
use super::extract::{Lenient, Path, Prefer, words};
use super::responses::{OfBackup, OfJob};
use crate::engine::{Engine, EngineError, RestoreOptions, Selection, VerifyResult};
use crate::model::{BackupId, Fingerprint, Profile};
use crate::service::jobs::{Jobs, Work};

/// What to restore, and whether to keep what is replaced.
#[derive(Debug, Deserialize, IntoParams)]
#[expect(clippy::struct_excessive_bools, reason = "each is a parameter of the query")]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Only these datasets, and what their rows need; separated by commas.
    #[param(example = "vrfs,prefixes", pattern = "^[a-z_]+(,[a-z_]+)*$")]
    dataset: Option<String>,
    /// Only what belongs to this VRF, and what its rows need.
    #[param(max_length = 200)]
    vrf: Option<String>,
    /// Only add and update: rows that the backup does not have stay, and nothing is deleted.
    #[serde(default)]
    #[param(required = false, default = false)]
    merge: bool,
    /// Keep the current state as a backup: without one there is no undo.
    #[serde(default = "yes")]
    #[param(required = false, default = true)]
    safety_backup: bool,
    /// Restore only if the live rows are still those that the preview with this fingerprint saw.
    #[param(value_type = Option<String>, pattern = "^[0-9a-f]{64}$")]
    fingerprint: Option<Fingerprint>,
    /// Restore although the backup was taken from another database or cluster.
    #[serde(default)]
    #[param(required = false, default = false)]
    into_other_database: bool,
    /// Restore although columns were added since the backup: rows that come back get null or the default
    /// in them, the others keep what they have.
    #[serde(default)]
    #[param(required = false, default = false)]
    allow_schema_drift: bool,
    /// Which rows to read back before the commit: those that the restore wrote, counting all, or all of them.
    #[serde(default)]
    #[param(inline, required = false)]
    verify_result: VerifyResult,
}

fn yes() -> bool {
    true
}

/// The part of the rows that a query asks for.
///
/// # Errors
/// If it names no dataset.
pub fn selection(
    profile: &Profile,
    dataset: Option<&str>,
    vrf: Option<String>,
) -> Result<Selection, ApiError> {
    let names = dataset.into_iter().flat_map(|names| names.split(','));
    let selection = Selection::named(profile, names, words("vrf", vrf, 200)?);
    Ok(selection.map_err(EngineError::from)?)
}

/// Make the live rows exactly those of a backup
///
/// What is not in the backup is gone afterwards, unless it is a `merge`. One transaction, proven before it is committed; the
/// state before is kept as a backup of its own, and restoring that is the undo.
#[utoipa::path(
    post, path = "/api/restore/{backup_id}", tag = "restore", operation_id = "restore_backup",
    params(("backup_id" = BackupId, Path, description = "The backup"), Parameters, Prefer),
    responses((status = 200, description = "Restored", body = Restored), OfBackup, OfJob)
)]
pub async fn restore(
    caller: Caller<Admin>,
    State(engine): State<Engine>,
    State(jobs): State<Jobs>,
    Path(id): Path<BackupId>,
    Lenient(parameters): Lenient<Parameters>,
    prefer: Prefer,
) -> Result<Response, ApiError> {
    let options = RestoreOptions {
        selection: selection(engine.profile(), parameters.dataset.as_deref(), parameters.vrf)?,
        merge: parameters.merge,
        safety_backup: parameters.safety_backup,
        fingerprint: parameters.fingerprint,
        into_other_database: parameters.into_other_database,
        created_by: caller.author(),
        allow_schema_drift: parameters.allow_schema_drift,
        verify_result: parameters.verify_result,
        lock_patience: engine.lock_timeout(),
    };
    refuse_unknown(&engine, &id).await?;
    carry_out(&jobs, caller.order(Work::Restore(id, options)), prefer).await
}
