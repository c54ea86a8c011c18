//! Access that lasts: what was allowed when a request came in ends at once when its token is revoked
//! or expires, also a download or a stream of events whose client takes nothing.

use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Known;
use crate::api::error::ApiError;
use crate::service::access::{Callers, Identity, NotLetIn};

/// Bytes of a body that are sent before anybody could revoke anything.
const SHORT: u64 = 16 * 1024;
/// How long an answer that is ended may take to end in order; its connection is closed then.
const ORDERLY: Duration = Duration::from_secs(1);

/// Closes the connection that a request came on.
#[derive(Debug, Clone)]
pub struct Hangup(pub CancellationToken);

/// Answers as long as the caller would still be let in.
pub async fn while_known(State(callers): State<Callers>, request: Request, next: Next) -> Response {
    let Some(Known(Ok(caller))) = request.extensions().get::<Known>().cloned() else {
        return next.run(request).await;
    };
    let hangup = request.extensions().get::<Hangup>().cloned();
    let response = {
        let answer = pin!(next.run(request));
        let lost = pin!(callers.lost(&caller));
        tokio::select! {
            response = answer => response,
            () = lost => return ApiError::NotLetIn(NotLetIn::UnknownToken).into_response(),
        }
    };
    // The loss of access also cancels the caller's jobs, and that may be noticed first.
    if !response.status().is_success() && !callers.still_known(&caller) {
        return ApiError::NotLetIn(NotLetIn::UnknownToken).into_response();
    }
    if response.body().size_hint().exact().is_some_and(|bytes| bytes <= SHORT) {
        return response;
    }
    bounded(response, callers, caller, hangup)
}

/// The same answer, which breaks off when the caller's access is lost. A stream of events ends in
/// order; anything else must not pass for whole.
fn bounded(
    response: Response,
    callers: Callers,
    caller: Identity,
    hangup: Option<Hangup>,
) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let events = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let (is_lost, lost) = watch::channel(false);
    // Not the body's business alone: a client that takes nothing keeps the body from being polled.
    tokio::spawn(async move {
        tokio::select! {
            () = is_lost.closed() => return,
            () = callers.lost(&caller) => {}
        }
        is_lost.send_replace(true);
        let in_order = tokio::time::timeout(ORDERLY, is_lost.closed()).await;
        if let (Err(_), Some(Hangup(connection))) = (in_order, hangup) {
            connection.cancel();
        }
    });
    response.map(|body| Body::from_stream(until_lost(body.into_data_stream(), lost, events)))
}

fn until_lost(
    parts: impl Stream<Item = Result<Bytes, axum::Error>> + Send + Unpin + 'static,
    lost: watch::Receiver<bool>,
    events: bool,
) -> impl Stream<Item = Result<Bytes, axum::Error>> + Send + 'static {
    stream::unfold(Some((parts, lost)), move |state| async move {
        let (mut parts, mut lost) = state?;
        let part = tokio::select! {
            biased;
            _ = lost.wait_for(|lost| *lost) => None,
            part = parts.next() => Some(part?),
        };
        if let Some(part) = part {
            return Some((part, Some((parts, lost))));
        }
        let broken = io::Error::from(io::ErrorKind::PermissionDenied);
        (!events).then(|| (Err(axum::Error::new(broken)), None))
    })
    .fuse()
}
