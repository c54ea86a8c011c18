//! Before any handler: who calls, under which name, from which page, and what is written down of it.

mod audited;
mod cors;
mod hosts;
mod identity;
mod lasting;
mod origins;
mod places;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

pub use audited::{RowsHandedOut, audited};
pub use cors::cors;
pub use hosts::Hosts;
pub use identity::{Known, TOKEN, identify};
pub use lasting::{Hangup, while_known};
pub use origins::{MalformedOrigin, Origins};
pub use places::without_places;

use super::error::ApiError;

/// Turns away what was sent to another name.
pub async fn known_host(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    match hosts.check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(unknown) => ApiError::UnknownHost(unknown.to_string()).into_response(),
    }
}

/// Turns away what a page of others asks for.
pub async fn own_origin(
    State(origins): State<Arc<Origins>>,
    request: Request,
    next: Next,
) -> Response {
    match origins.check(&request) {
        Ok(()) => next.run(request).await,
        Err(foreign) => ApiError::ForeignOrigin(foreign.to_string()).into_response(),
    }
}
