//! `PATCH /api/backup/{backup_id}`

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::access::{Caller, Operator};
use crate::api::body::Annotated;
use crate::api::error::ApiError;
use crate::api::extract::{Body, Path};
use crate::api::responses::OfBackup;
use crate::engine;
use crate::engine::Engine;
use crate::model::BackupId;

/// What is to be changed; what is not given stays.
#[derive(Debug, Deserialize, ToSchema)]
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

impl From<Annotation> for engine::Annotation {
    fn from(annotation: Annotation) -> Self {
        let Annotation { description, pinned, labels } = annotation;
        Self { description, pinned, labels }
    }
}

/// Change what is said of a backup: description, pin, labels
#[utoipa::path(
    patch, path = "/api/backup/{backup_id}", tag = "backups", operation_id = "edit_backup",
    request_body = Annotation,
    params(("backup_id" = BackupId, Path, description = "The backup")),
    responses((status = 200, description = "Changed", body = Annotated), OfBackup)
)]
pub async fn edit(
    _: Caller<Operator>,
    State(engine): State<Engine>,
    Path(id): Path<BackupId>,
    Body(annotation): Body<Annotation>,
) -> Result<Json<Annotated>, ApiError> {
    Ok(Json(engine.annotate(&id, &annotation.into()).await?.into()))
}
