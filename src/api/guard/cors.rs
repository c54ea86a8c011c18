//! What browsers are told about pages of others: nothing, unless some were named.

use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::{Origins, TOKEN};
use crate::api::limits::REQUEST_ID;

/// Lets the pages that were named read answers and send what the API takes; nothing if there are none.
pub fn cors(origins: &Origins) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let origins = origins.clone();
    let allowed = move |origin: &HeaderValue, request: &Parts| {
        let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        origin.to_str().is_ok_and(|origin| origins.allow(origin, host.unwrap_or_default()))
    };
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            TOKEN,
            HeaderName::from_static("prefer"),
            HeaderName::from_static("last-event-id"),
        ])
        .expose_headers([header::LOCATION, header::RETRY_AFTER, REQUEST_ID])
        .max_age(Duration::from_mins(10));
    Some(layer)
}
