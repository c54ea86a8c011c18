//! `GET /api/profile`

use axum::Json;
use axum::extract::State;

use super::access::{Caller, Viewer};
use super::body::Profile;
use crate::engine::Engine;

/// What is backed up
///
/// The datasets, tables and scopes of the profile that backups are made with, and what people call them.
#[utoipa::path(
    get, path = "/api/profile", tag = "backups", operation_id = "get_profile",
    responses((status = 200, description = "The profile", body = Profile))
)]
pub async fn profile(_: Caller<Viewer>, State(engine): State<Engine>) -> Json<Profile> {
    Json(Profile::from(&**engine.profile()))
}
