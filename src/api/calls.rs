//! The table of contents: every call, with its description.

use std::time::Duration;

use axum::middleware::from_fn_with_state;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{Accepted, Problem};
use super::limits::not_too_long;
use super::{
    audit, backup, cleanup, comparison, diff, events, health, history, import, jobs, live, metrics,
    notify,
};
use super::{
    preview, profile, ready, restore, schedule, session, size_history, statistics, verify,
};
use crate::service::Service;

/// The frame that the calls are put into.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "ipam-rewind",
        description = "Snapshots of an IPAM database, row-level diffs, and a proven way back.\n\n\
            Success is a JSON object with `status`. Whatever fails is `application/problem+json` \
            with a stable `code`. Long work is a job: its call waits for the outcome, or answers \
            at once with 202 if the request says `Prefer: respond-async`.",
    ),
    components(schemas(Problem, Accepted)),
    tags(
        (name = "backups", description = "Make, list, look at, describe, delete"),
        (name = "restore", description = "Go back, after a look at what that would change"),
        (name = "compare", description = "Which rows differ, and what became of one"),
        (name = "upkeep", description = "Verify, clean up, measure"),
        (name = "jobs", description = "Long work: progress, outcome, cancelling"),
        (name = "service", description = "The service itself"),
    ),
)]
struct Frame;

/// Calls that are answered at once.
fn quick() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(backup::list::list))
        .routes(routes!(backup::details::details, backup::edit::edit))
        .routes(routes!(backup::changes::changes))
        .routes(routes!(backup::file::file))
        .routes(routes!(backup::archive::archive))
        .routes(routes!(backup::scope::scope_values))
        .routes(routes!(comparison::changes))
        .routes(routes!(comparison::tree))
        .routes(routes!(history::history))
        .routes(routes!(profile::profile))
        .routes(routes!(statistics::statistics))
        .routes(routes!(jobs::list::list))
        .routes(routes!(jobs::details::details))
        .routes(routes!(size_history::size_history))
        .routes(routes!(schedule::schedule))
        .routes(routes!(notify::test))
        .routes(routes!(audit::audit))
        .routes(routes!(session::session))
        .routes(routes!(live::live))
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

/// All calls, with their descriptions; those that are no jobs are given up after this time.
pub fn calls(patience: Duration) -> OpenApiRouter<Service> {
    let not_too_long = from_fn_with_state(patience, not_too_long);
    OpenApiRouter::with_openapi(Frame::openapi())
        .merge(quick().route_layer(not_too_long))
        .merge(long())
}
