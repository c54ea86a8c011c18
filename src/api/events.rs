//! `GET /api/events`, and how jobs become server-sent events.
//!
//! An event is the state of a job under the number of its latest change. A client that lags or
//! comes back is told each job that has changed since, as it is now: it misses no state that holds.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, stream};
use tokio::sync::watch;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{KnownFormat, ObjectBuilder, SchemaFormat, Type};

use super::access::{Caller, Viewer};
use super::body;
use super::error::ApiError;
use super::slots::{STREAMS, Slot};
use crate::service::Service;
use crate::service::access::Identity;
use crate::service::jobs::{Job, JobId};

/// The number of the last event that the client has seen, if it comes back.
#[derive(Debug, Clone, Copy)]
pub struct LastEventId(pub Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for LastEventId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get("last-event-id") else { return Ok(Self(None)) };
        let number = value.to_str().ok().and_then(|text| text.parse().ok());
        let malformed = || ApiError::Malformed("Last-Event-ID is not the id of an event".into());
        Ok(Self(Some(number.ok_or_else(malformed)?)))
    }
}

impl utoipa::IntoParams for LastEventId {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let format = SchemaFormat::KnownFormat(KnownFormat::Int64);
        let number = ObjectBuilder::new().schema_type(Type::Integer).format(Some(format));
        let parameter = ParameterBuilder::new()
            .name("Last-Event-ID")
            .parameter_in(ParameterIn::Header)
            .description(Some("The last event that was seen, to go on after it"))
            .schema(Some(number.minimum(Some(0))));
        vec![parameter.build()]
    }
}

/// The events of all jobs, as server-sent events
///
/// Begins with the jobs that are under way or wait, and goes on with every change of any job.
#[utoipa::path(
    get, path = "/api/events", tag = "jobs", operation_id = "follow_jobs", params(LastEventId),
    responses((status = 200, description = "Events `job`, each with a job", body = String, content_type = "text/event-stream"))
)]
pub async fn events(
    caller: Caller<Viewer>,
    State(service): State<Service>,
    LastEventId(last): LastEventId,
) -> Result<Response, ApiError> {
    let after = last.unwrap_or_else(|| before_what_is_under_way(&service));
    stream(&service, caller.identity, after, None).map(IntoResponse::into_response)
}

fn before_what_is_under_way(service: &Service) -> u64 {
    let now = service.jobs().now();
    let jobs = service.jobs().changed_after(0).into_iter();
    let under_way = jobs.filter(|(_, job)| !job.state.is_over()).map(|(number, _)| number - 1);
    under_way.min().unwrap_or(now)
}

/// What a stream has still to tell, and where it is.
struct Follower {
    service: Service,
    caller: Identity,
    changes: watch::Receiver<u64>,
    after: u64,
    only: Option<JobId>,
    to_tell: VecDeque<(u64, Job)>,
    over: bool,
    _slot: Slot,
}

/// A stream of what changes after that number, of one job or of all. It ends where the caller would not
/// be let in any more.
///
/// # Errors
/// If enough streams are open already, in all or by this caller.
pub fn stream(
    service: &Service,
    caller: Identity,
    after: u64,
    only: Option<JobId>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>, ApiError> {
    let slot = STREAMS.take(Some(&caller))?;
    let follower = Follower {
        changes: service.jobs().follow(),
        service: service.clone(),
        caller,
        after,
        only,
        to_tell: VecDeque::new(),
        over: false,
        _slot: slot,
    };
    let events = stream::unfold(follower, async |mut follower| {
        let event = follower.next().await?;
        Some((Ok(event), follower))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

impl Follower {
    /// The next event; none once the job, the service, or the caller's time is over.
    async fn next(&mut self) -> Option<Event> {
        while self.to_tell.is_empty() {
            if self.over {
                return None;
            }
            // Looked at before the jobs are: what comes later wakes this up again.
            self.changes.mark_unchanged();
            self.over = self.service.jobs().are_over();
            self.look();
            if self.to_tell.is_empty() && !self.over {
                self.over = self.changes.changed().await.is_err();
            }
        }
        let (number, job) = self.to_tell.pop_front()?;
        if !self.service.gate().still_knows(&self.caller, self.service.now()) {
            return None;
        }
        self.over |= self.only.is_some() && job.state.is_over();
        let body = serde_json::to_string(&body::Job::from(job)).expect("a job is plain data");
        Some(Event::default().event("job").id(number.to_string()).data(body))
    }

    fn look(&mut self) {
        let new = self.service.jobs().changed_after(self.after).into_iter();
        let only = self.only;
        self.to_tell.extend(new.filter(|(_, job)| only.is_none_or(|id| job.job_id == id)));
        self.after = self.to_tell.back().map_or(self.after, |(number, _)| *number);
    }
}
