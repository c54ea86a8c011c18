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
use crate::service::access::{Callers, Identity};
use crate::service::jobs::{Job, JobId, Jobs};

/// How often a stream says that it is there. The page takes one that is silent for longer to be gone.
const ALIVE: Duration = Duration::from_secs(5);

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
    State(jobs): State<Jobs>,
    State(callers): State<Callers>,
    LastEventId(last): LastEventId,
) -> Result<Response, ApiError> {
    let after = last.unwrap_or_else(|| before_what_is_under_way(&jobs));
    Ok(Follower::new(jobs, callers, caller.identity, after)?.stream().into_response())
}

fn before_what_is_under_way(jobs: &Jobs) -> u64 {
    let now = jobs.now();
    let jobs = jobs.changed_after(0).into_iter();
    let under_way = jobs.filter(|(_, job)| !job.state.is_over()).map(|(number, _)| number - 1);
    under_way.min().unwrap_or(now)
}

/// What a stream has still to tell, and where it is. It ends where the caller would not be let in any more.
pub struct Follower {
    jobs: Jobs,
    callers: Callers,
    caller: Identity,
    changes: watch::Receiver<u64>,
    after: u64,
    only: Option<JobId>,
    to_tell: VecDeque<(u64, Job)>,
    over: bool,
    _slot: Slot,
}

impl Follower {
    /// Follows what changes after that number.
    ///
    /// # Errors
    /// If enough streams are open already, in all or by this caller.
    pub fn new(
        jobs: Jobs,
        callers: Callers,
        caller: Identity,
        after: u64,
    ) -> Result<Self, ApiError> {
        let slot = STREAMS.take(Some(&caller))?;
        let changes = jobs.follow();
        let (only, to_tell, over) = (None, VecDeque::new(), false);
        Ok(Self { jobs, callers, caller, changes, after, only, to_tell, over, _slot: slot })
    }

    /// Follows one job alone.
    pub fn only(self, id: JobId) -> Self {
        Self { only: Some(id), ..self }
    }

    /// The changes as events.
    pub fn stream(self) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
        let events = stream::unfold(self, async |mut follower| {
            let event = follower.next().await?;
            Some((Ok(event), follower))
        });
        Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE))
    }

    /// The next event; none once the job, the service, or the caller's time is over.
    async fn next(&mut self) -> Option<Event> {
        while self.to_tell.is_empty() {
            if self.over {
                return None;
            }
            // Looked at before the jobs are: what comes later wakes this up again.
            self.changes.mark_unchanged();
            self.over = self.jobs.are_over();
            self.look();
            if self.to_tell.is_empty() && !self.over {
                self.over = self.changes.changed().await.is_err();
            }
        }
        let (number, job) = self.to_tell.pop_front()?;
        if !self.callers.still_known(&self.caller) {
            return None;
        }
        self.over |= self.only.is_some() && job.state.is_over();
        let body = serde_json::to_string(&body::Job::from(job)).expect("a job is plain data");
        Some(Event::default().event("job").id(number.to_string()).data(body))
    }

    fn look(&mut self) {
        let new = self.jobs.changed_after(self.after).into_iter();
        let only = self.only;
        self.to_tell.extend(new.filter(|(_, job)| only.is_none_or(|id| job.job_id == id)));
        self.after = self.to_tell.back().map_or(self.after, |(number, _)| *number);
    }
}
