//! Counts every request, and writes down in the audit log what changed something or was refused.

use std::net::SocketAddr;

use axum::RequestExt;
use axum::extract::{ConnectInfo, MatchedPath, RawPathParams, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::Known;
use crate::api::hygiene::REQUEST_ID;
use crate::engine::Problem;
use crate::service::Service;
use crate::service::audit::{Entry, Outcome};

/// What gives away a whole backup.
const DOWNLOADS: [&str; 2] =
    ["/api/backup/{backup_id}/files/{dataset}", "/api/backup/{backup_id}/archive"];

/// A request as the log sees it.
struct Seen {
    method: Method,
    route: String,
    target: Option<String>,
    known: Option<Known>,
    peer: Option<SocketAddr>,
    request_id: Option<String>,
}

/// Lets the request pass, and looks at what became of it.
pub async fn audited(State(service): State<Service>, mut request: Request, next: Next) -> Response {
    let seen = Seen::of(&mut request).await;
    let response = next.run(request).await;
    let status = response.status();
    service.metrics().request(name(&seen.method), &seen.route, status.as_u16());
    let refused = matches!(status.as_u16(), 401 | 403 | 421 | 429);
    if refused && !seen.is_known() {
        service.metrics().authentication_failed();
    }
    if refused && !service.may_note_refusal() {
        return response;
    }
    if refused || seen.is_worth_noting() {
        let problem = response.extensions().get::<Problem>();
        service.audit().record(seen.entry(&service, status, problem)).await;
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
        let target = params.as_ref().and_then(|params| params.iter().next());
        let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
        let extensions = request.extensions();
        let route = extensions.get::<MatchedPath>();
        Self {
            method: request.method().clone(),
            route: route.map_or("other", |route| without_slash(route.as_str())).to_owned(),
            target: target.map(|(_, value)| value.to_owned()),
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
        !reads || DOWNLOADS.contains(&self.route.as_str())
    }

    fn entry(self, service: &Service, status: StatusCode, problem: Option<&Problem>) -> Entry {
        let known = self.known.and_then(|Known(known)| known.ok());
        let why = problem.map_or_else(String::new, |problem| format!(": {}", problem.detail));
        let detail = match (self.peer, status.is_success()) {
            (_, true) => None,
            (Some(peer), false) => Some(format!("{} from {}{why}", status.as_u16(), peer.ip())),
            (None, false) => Some(format!("{}{why}", status.as_u16())),
        };
        Entry {
            at: service.now(),
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
