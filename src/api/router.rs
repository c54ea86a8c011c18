//! The whole service over HTTP: the calls, and what holds for all of them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::{Extension, Json, Router, routing};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::request_id::{PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::RequestBodyTimeoutLayer;

use super::error::ApiError;
use super::extract::LARGEST_BODY;
use super::guard;
use super::limits::{
    REQUEST_ID, RandomId, broken_down, logged, not_too_long, not_too_many, plain_request_id,
    security_headers,
};
use super::openapi;
use super::settings::Settings;
use super::slots::Slots;
use super::{backup, calls, docs, page, restore};
use crate::service::Service;

/// The documented calls with a slash at the end, which clients of old may send.
fn slashed(patience: Duration) -> Router<Service> {
    let not_too_long = from_fn_with_state(patience, not_too_long);
    let details = routing::get(backup::details::details).route_layer(not_too_long.clone());
    let list = routing::get(backup::list::list).route_layer(not_too_long);
    Router::new()
        .route("/api/backups/", list)
        .route("/api/backup/", routing::post(backup::create::create))
        .route("/api/backup/{backup_id}/", details.delete(backup::delete::delete))
        .route("/api/restore/{backup_id}/", routing::post(restore::restore))
}

/// The whole service over HTTP.
pub fn router(service: Service, settings: Settings) -> Router {
    let most = settings.calls_at_a_time;
    let slots = Slots::new(most, most.div_ceil(4));
    let document = openapi::document();
    let (calls, _) = calls::calls(settings.patience).split_for_parts();
    let told = document.clone();
    let calls = calls
        .merge(slashed(settings.patience))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed.into_response())
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(Extension(settings.clone()))
        .layer(RequestBodyTimeoutLayer::new(settings.standstill))
        .layer(from_fn_with_state(slots, not_too_many))
        .with_state(service.clone());
    let cors = guard::cors(&settings.origins);
    let (hosts, origins) = (Arc::new(settings.hosts), Arc::new(settings.origins));
    let router = Router::new()
        .merge(calls)
        .route("/api/openapi.json", routing::get(async move || Json(told)))
        .merge(docs::router())
        .fallback(page::serve)
        .layer(
            ServiceBuilder::new()
                .layer(from_fn(plain_request_id))
                .layer(SetRequestIdLayer::new(REQUEST_ID, RandomId))
                .layer(from_fn(logged))
                .layer(PropagateRequestIdLayer::new(REQUEST_ID))
                .layer(from_fn(security_headers))
                .layer(CompressionLayer::new().compress_when(compressed()))
                .layer(CatchPanicLayer::custom(broken_down))
                .layer(from_fn_with_state(service.clone(), guard::identify))
                .layer(from_fn_with_state(service.clone(), guard::audited))
                .layer(from_fn_with_state(service.clone(), guard::while_known))
                .layer(from_fn_with_state(service, guard::without_places))
                .layer(from_fn_with_state(hosts, guard::known_host))
                .option_layer(cors)
                .layer(from_fn_with_state(origins, guard::own_origin)),
        );
    settings.base_path.serve(router)
}

/// Everything but what is compressed already, or comes bit by bit.
fn compressed() -> impl Predicate {
    DefaultPredicate::new().and(NotForContentType::const_new("application/x-tar"))
}
