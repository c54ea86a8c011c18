//! `PATCH /api/backup/{backup_id}`

use axum::Json;
use axum::extract::State;

use crate::api::access::{Caller, Operator};
use crate::api::error::ApiError;
use crate::api::extract::{Body, Path};
use crate::api::openapi::OfBackup;
use crate::engine::{Annotated, Annotation};
use crate::model::BackupId;
use crate::service::Service;

/// Change what is said of a backup: description, pin, labels
#[utoipa::path(
    patch, path = "/api/backup/{backup_id}", tag = "backups", operation_id = "edit_backup",
    request_body = Annotation,
    params(("backup_id" = BackupId, Path, description = "The backup")),
    responses((status = 200, description = "Changed", body = Annotated), OfBackup)
)]
pub async fn edit(
    _: Caller<Operator>,
    State(service): State<Service>,
    Path(id): Path<BackupId>,
    Body(annotation): Body<Annotation>,
) -> Result<Json<Annotated>, ApiError> {
    Ok(Json(service.engine().annotate(&id, &annotation).await?))
}
