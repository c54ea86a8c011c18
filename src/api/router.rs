//! The table of contents: every call, and what holds for all of them.

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
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::ApiError;
use super::extract::LARGEST_BODY;
use super::guard::{self, Hosts, Origins};
use super::limits::{
    REQUEST_ID, RandomId, broken_down, logged, not_too_long, not_too_many, plain_request_id,
    security_headers,
};
use super::openapi::{self, Frame};
use super::slots::Slots;
use super::{audit, backup, cleanup, diff, docs, events, health, history, import, jobs, metrics};
use super::{page, preview, profile, ready, restore, schedule, session, size_history};
use super::{statistics, verify};
use crate::service::Service;

/// What the router lets through.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Calls that may be under way at a time.
    pub calls_at_a_time: usize,
    /// How long a call that is no job may take.
    pub patience: Duration,
    /// How long a body may stand still while it comes in.
    pub standstill: Duration,
    /// Bytes that an archive may have.
    pub largest_upload: u64,
    /// The names under which the service may be called.
    pub hosts: Hosts,
    /// The pages that may change something.
    pub origins: Origins,
}

impl Default for Settings {
    fn default() -> Self {
        let hosts = Hosts::new(([127, 0, 0, 1], 0).into(), &[]);
        let origins = Origins::default();
        Self {
            calls_at_a_time: 256,
            patience: Duration::from_secs(30),
            standstill: Duration::from_secs(30),
            largest_upload: 4 << 30,
            hosts,
            origins,
        }
    }
}

/// Calls that are answered at once.
fn quick() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(backup::list::list))
        .routes(routes!(backup::details::details, backup::edit::edit))
        .routes(routes!(backup::changes::changes))
        .routes(routes!(backup::file::file))
        .routes(routes!(backup::archive::archive))
        .routes(routes!(history::history))
        .routes(routes!(profile::profile))
        .routes(routes!(statistics::statistics))
        .routes(routes!(jobs::list::list))
        .routes(routes!(jobs::details::details))
        .routes(routes!(size_history::size_history))
        .routes(routes!(schedule::schedule))
        .routes(routes!(audit::audit))
        .routes(routes!(session::session))
        .routes(routes!(health::health))
        .routes(routes!(ready::ready))
        .routes(routes!(metrics::metrics))
}

/// Calls that wait for a job, and streams.
fn long() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(backup::create::create))
        .routes(routes!(backup::delete::delete))
        .routes(routes!(import::import))
        .routes(routes!(restore::restore))
        .routes(routes!(preview::preview))
        .routes(routes!(verify::verify))
        .routes(routes!(cleanup::cleanup))
        .routes(routes!(diff::diff))
        .routes(routes!(jobs::cancel::cancel))
        .routes(routes!(jobs::events::events))
        .routes(routes!(events::events))
}

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

/// All calls, with their descriptions; those that are no jobs are given up after this time.
pub fn calls(patience: Duration) -> OpenApiRouter<Service> {
    let not_too_long = from_fn_with_state(patience, not_too_long);
    OpenApiRouter::with_openapi(Frame::openapi())
        .merge(quick().route_layer(not_too_long))
        .merge(long())
}

/// The whole service over HTTP.
pub fn router(service: Service, settings: Settings) -> Router {
    let most = settings.calls_at_a_time;
    let slots = Slots::new(most, most.div_ceil(4));
    let document = openapi::document();
    let (calls, _) = calls(settings.patience).split_for_parts();
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
    Router::new()
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
        )
}

/// Everything but what is compressed already, or comes bit by bit.
fn compressed() -> impl Predicate {
    DefaultPredicate::new().and(NotForContentType::const_new("application/x-tar"))
}
