//! Counts every request, and writes down in the audit log what changed something, handed out rows, or
//! was refused.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::RequestExt;
use axum::extract::{ConnectInfo, MatchedPath, RawPathParams, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use chrono::{DateTime, Utc};

use super::Known;
use crate::api::body::Problem;
use crate::api::limits::REQUEST_ID;
use crate::engine::Clock;
use crate::service::access::Refusals;
use crate::service::audit::{Entry, Outcome};
use crate::service::{Audit, Metrics};

/// The calls that only read, and hand out rows.
const HAND_OUT_ROWS: [&str; 7] = [
    "/api/backup/{backup_id}/files/{dataset}",
    "/api/backup/{backup_id}/archive",
    "/api/backup/{backup_id}/scopes/{scope}",
    "/api/comparisons/{comparison_id}/changes",
    "/api/comparisons/{comparison_id}/tree",
    "/api/diff/{from}/{to}",
    "/api/history/{table}/{key}",
];

/// Goes with an answer that hands out rows although its call mostly does not.
#[derive(Debug, Clone, Copy)]
pub struct RowsHandedOut;

/// A request as the log sees it.
struct Seen {
    method: Method,
    route: String,
    target: Option<String>,
    query: Option<String>,
    known: Option<Known>,
    peer: Option<SocketAddr>,
    request_id: Option<String>,
}

/// Lets the request pass, and looks at what became of it.
pub async fn audited(
    State(audit): State<Audit>,
    State(metrics): State<Arc<Metrics>>,
    State(refusals): State<Refusals>,
    State(clock): State<Clock>,
    mut request: Request,
    next: Next,
) -> Response {
    let seen = Seen::of(&mut request).await;
    let response = next.run(request).await;
    let status = response.status();
    metrics.request(name(&seen.method), &seen.route, status.as_u16());
    let refused = matches!(status.as_u16(), 401 | 403 | 421 | 429);
    if refused && !seen.is_known() {
        metrics.authentication_failed();
    }
    let mut unnoted = 0;
    if refused && !seen.is_known() {
        let Some(before) = refusals.may_list() else { return response };
        unnoted = before;
    }
    let rows = response.extensions().get::<RowsHandedOut>().is_some();
    if refused || rows || seen.is_worth_noting() {
        let problem = response.extensions().get::<Problem>();
        let mut entry = seen.entry(clock(), status, problem);
        if unnoted > 0 {
            let detail = entry.detail.get_or_insert_default();
            *detail = format!("after {unnoted} that are not listed: {detail}");
        }
        audit.record(entry).await;
    }
    response
}

/// Of any other method, of which there are many, it is enough to know that it was one.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// A call with a slash at its end is the same call.
fn without_slash(route: &str) -> &str {
    if route == "/" { route } else { route.trim_end_matches('/') }
}

impl Seen {
    async fn of(request: &mut Request) -> Self {
        let params = request.extract_parts::<RawPathParams>().await.ok();
        let target = params
            .as_ref()
            .map(|params| params.iter().map(|(_, value)| value).collect::<Vec<_>>().join(" "));
        let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
        let extensions = request.extensions();
        let route = extensions.get::<MatchedPath>();
        Self {
            method: request.method().clone(),
            route: route.map_or("other", |route| without_slash(route.as_str())).to_owned(),
            target: target.filter(|target| !target.is_empty()),
            query: request.uri().query().map(str::to_owned),
            known: extensions.get::<Known>().cloned(),
            peer: extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0),
            request_id: id.map(str::to_owned),
        }
    }

    fn is_known(&self) -> bool {
        matches!(self.known, Some(Known(Ok(_))))
    }

    fn is_worth_noting(&self) -> bool {
        let reads = matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS);
        !reads || HAND_OUT_ROWS.contains(&self.route.as_str())
    }

    fn entry(self, at: DateTime<Utc>, status: StatusCode, problem: Option<&Problem>) -> Entry {
        let known = self.known.and_then(|Known(known)| known.ok());
        let why = problem.map_or_else(String::new, |problem| format!(": {}", problem.detail));
        let detail = match (self.peer, status.is_success()) {
            // What was asked for decides which rows that were.
            (_, true) => self.query.map(|query| format!("?{query}")),
            (Some(peer), false) => Some(format!("{} from {}{why}", status.as_u16(), peer.ip())),
            (None, false) => Some(format!("{}{why}", status.as_u16())),
        };
        Entry {
            at,
            who: known.as_ref().map(|known| known.name.clone()),
            role: known.map(|known| known.role),
            action: format!("{} {}", self.method, self.route),
            target: self.target,
            outcome: match status.as_u16() {
                202 => Outcome::Accepted,
                200..400 => Outcome::Succeeded,
                400..500 => Outcome::Refused,
                _ => Outcome::Failed,
            },
            detail,
            job_id: None,
            request_id: self.request_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The calls that only read and hand out no rows: metadata, numbers, jobs without their results.
    const HAND_OUT_NONE: [&str; 18] = [
        "/api/backups",
        "/api/backup/{backup_id}",
        "/api/backup/{backup_id}/changes",
        "/api/statistics",
        "/api/statistics/history",
        "/api/jobs",
        // Marks its answer where it holds rows.
        "/api/jobs/{job_id}",
        "/api/jobs/{job_id}/events",
        "/api/events",
        "/api/schedule",
        "/api/audit",
        "/api/profile",
        "/api/session",
        "/api/health",
        "/api/live",
        "/api/ready",
        "/metrics",
        "/api/openapi.json",
    ];

    #[test]
    fn every_call_that_reads_is_known_to_hand_out_rows_or_none() {
        for (path, item) in crate::api::document().paths.paths {
            let known = [&HAND_OUT_ROWS[..], &HAND_OUT_NONE].concat().contains(&path.as_str());
            assert!(item.get.is_none() || known, "{path}: does it hand out rows?");
        }
    }
}
