//! `GET /api/session`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::{Caller, Viewer};
use crate::engine::Engine;
use crate::service::Role;
use crate::service::access::Callers;

/// Whether tokens are asked for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Authentication {
    /// No: everybody who reaches the service may do everything.
    None,
    /// Yes.
    Token,
}

/// Who calls, and whom they call.
#[derive(Debug, Serialize, ToSchema)]
pub struct Session {
    /// Always `success`.
    status: &'static str,
    /// The token's name, or `system`.
    name: String,
    /// What its holder may do.
    role: Role,
    /// Whether tokens are asked for.
    authentication: Authentication,
    /// The program's version.
    version: &'static str,
    /// Whether the service knows a database.
    database: bool,
}

/// Who calls, and what they may do
#[utoipa::path(
    get, path = "/api/session", tag = "service", operation_id = "get_session",
    responses((status = 200, description = "The caller as the service knows them", body = Session))
)]
pub async fn session(
    caller: Caller<Viewer>,
    State(callers): State<Callers>,
    State(engine): State<Engine>,
) -> Json<Session> {
    let open = callers.are_all_let_in();
    Json(Session {
        status: "success",
        name: caller.identity.name,
        role: caller.identity.role,
        authentication: if open { Authentication::None } else { Authentication::Token },
        version: env!("CARGO_PKG_VERSION"),
        database: engine.has_database(),
    })
}
