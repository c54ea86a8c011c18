//! Calls that are described already and answered soon: each moves to a file of its own with its
//! handler, and this file goes.

use std::collections::BTreeMap;

use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::ApiError;
use super::openapi::{OfBackup, OfJob};
use crate::engine::{BackupInfo, DatasetCounts};
use crate::model::{BackupId, Dataset};

/// What is to be changed; what is not given stays.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "described only")]
#[serde(deny_unknown_fields)]
pub struct Annotation {
    /// What people will call the backup.
    #[serde(default)]
    description: Option<String>,
    /// Whether every cleanup keeps it.
    #[serde(default)]
    pinned: Option<bool>,
    /// Labels to be set, or with null to be taken away; the others stay.
    #[serde(default)]
    labels: BTreeMap<String, Option<String>>,
}

/// The backup as it is called now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Annotated {
    /// Always `success`.
    status: &'static str,
    /// The same in words.
    message: String,
    /// The metadata.
    backup_info: BackupInfo,
}

/// Change what is said of a backup: description, pin, labels
#[utoipa::path(
    patch, path = "/api/backup/{backup_id}", tag = "backups", operation_id = "edit_backup", request_body = Annotation,
    params(("backup_id" = BackupId, Path, description = "The backup")),
    responses((status = 200, description = "Changed", body = Annotated), OfBackup)
)]
pub async fn edit() -> Response {
    not_yet()
}

/// What a backup changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changes {
    /// Always `success`.
    status: &'static str,
    /// The backup.
    backup_id: BackupId,
    /// The backup before it; none before the first.
    before: Option<BackupId>,
    /// How many rows differ, by dataset.
    datasets: BTreeMap<Dataset, DatasetCounts>,
}

/// What a backup changed against the one before it
#[utoipa::path(
    get, path = "/api/backup/{backup_id}/changes", tag = "compare", operation_id = "get_changes",
    params(("backup_id" = BackupId, Path, description = "The backup")),
    responses((status = 200, description = "Rows that differ, in numbers", body = Changes), OfBackup)
)]
pub async fn changes() -> Response {
    not_yet()
}

/// A dataset file, as a download
#[utoipa::path(
    get, path = "/api/backup/{backup_id}/files/{dataset}", tag = "backups", operation_id = "download_dataset",
    params(
        ("backup_id" = BackupId, Path, description = "The backup"),
        ("dataset" = Dataset, Path, description = "The dataset"),
    ),
    responses((status = 200, description = "The file", body = Object, content_type = "application/json"), OfBackup)
)]
pub async fn file() -> Response {
    not_yet()
}

/// The whole backup as a tar archive, as a download
#[utoipa::path(
    get, path = "/api/backup/{backup_id}/archive", tag = "backups", operation_id = "download_archive",
    params(("backup_id" = BackupId, Path, description = "The backup")),
    responses((status = 200, description = "The archive", body = Vec<u8>, content_type = "application/x-tar"), OfBackup)
)]
pub async fn archive() -> Response {
    not_yet()
}

/// The backup that was taken over.
#[derive(Debug, Serialize, ToSchema)]
pub struct Imported {
    /// Always `success`.
    status: &'static str,
    /// The same in words.
    message: String,
    /// The backup's id: the archive's, or the next that was free.
    backup_id: BackupId,
    /// Its metadata.
    backup_info: BackupInfo,
    /// What is worth knowing: another id, what had to be made up. A sentence each.
    notes: Vec<String>,
}

/// Take over a backup from an archive
#[utoipa::path(
    post, path = "/api/import", tag = "backups", operation_id = "import_archive",
    request_body(content = Vec<u8>, content_type = "application/x-tar"),
    responses((status = 200, description = "Taken over", body = Imported), OfJob)
)]
pub async fn import() -> Response {
    not_yet()
}

fn not_yet() -> Response {
    axum::response::IntoResponse::into_response(ApiError::NoSuchCall)
}
