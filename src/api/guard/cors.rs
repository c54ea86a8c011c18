//! What browsers are told about pages of others: nothing, unless some were named.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::{Origins, TOKEN};
use crate::api::limits::REQUEST_ID;

/// Lets the pages that were named read answers and send what the API takes; nothing if there are none.
pub fn cors(origins: &Origins) -> Option<CorsLayer> {
    let origin = |text: &String| HeaderValue::from_str(text).expect("an origin is plain text");
    let origins: Vec<_> = origins.foreign().iter().map(origin).collect();
    if origins.is_empty() {
        return None;
    }
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
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
