//! What holds for every request, whatever it asks for: limits, time-outs, headers, a name.

use std::any::Any;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::request_id::{MakeRequestId, RequestId};
use tracing::Instrument;

use super::error::ApiError;
use super::guard::Known;
use super::slots::Slots;

/// The header that names a request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The page and the API: nothing from any other host. Charts set styles as attributes.
const POLICY: &str = "default-src 'self'; style-src-attr 'unsafe-inline'; \
    img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; \
    frame-ancestors 'none'";

/// Gives each request a random name.
#[derive(Debug, Clone, Copy)]
pub struct RandomId;

impl MakeRequestId for RandomId {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        let id = uuid::Uuid::new_v4().to_string();
        Some(RequestId::new(HeaderValue::from_str(&id).expect("plain text")))
    }
}

/// Drops a name that the client gave, unless it is a short and plain one.
pub async fn plain_request_id(mut request: Request, next: Next) -> Response {
    let plain = |value: &HeaderValue| {
        let bytes = value.as_bytes();
        let letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        (1..=64).contains(&bytes.len()) && bytes.iter().all(letter)
    };
    if !request.headers().get(REQUEST_ID).is_none_or(plain) {
        request.headers_mut().remove(REQUEST_ID);
    }
    next.run(request).await
}

/// Writes one line for each answer into the log, with the request's name; whatever else is logged
/// on the way to it carries that name, too. The query is left out: it may hold words of people.
pub async fn logged(request: Request, next: Next) -> Response {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or("-");
    let (method, path) = (request.method(), request.uri().path());
    let span = tracing::info_span!("request", request_id = id, %method, path);
    async {
        let begun = Instant::now();
        let response = next.run(request).await;
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(status = response.status().as_u16(), milliseconds, "answered");
        response
    }
    .instrument(span)
    .await
}

/// What browsers are to be told, unless the answer says otherwise.
pub async fn security_headers(request: Request, next: Next) -> Response {
    let api = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let set = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in set {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if api {
        let fresh = HeaderValue::from_static("no-store");
        headers.entry(header::CACHE_CONTROL).or_insert(fresh);
    }
    response
}

/// Lets only so many calls be under way at a time, in all and for each caller; the others are told to come again.
pub async fn not_too_many(State(slots): State<Slots>, request: Request, next: Next) -> Response {
    let known = request.extensions().get::<Known>();
    let caller = known.and_then(|Known(known)| known.as_ref().ok());
    match slots.take(caller) {
        Ok(_slot) => next.run(request).await,
        Err(refused) => refused.into_response(),
    }
}

/// Gives up a call that takes too long. Not for jobs: those have their own end.
pub async fn not_too_long(
    State(patience): State<Duration>,
    request: Request,
    next: Next,
) -> Response {
    match tokio::time::timeout(patience, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::TimedOut(patience.as_secs()).into_response(),
    }
}

/// A handler that breaks down is answered like any other failure.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over so")]
pub fn broken_down(panic: Box<dyn Any + Send>) -> axum::http::Response<Body> {
    let words = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
    tracing::error!("a handler panicked: {}", words.unwrap_or_default());
    ApiError::Panicked.into_response()
}

#[cfg(test)]
mod tests {
    use axum::middleware::from_fn_with_state;
    use axum::{Router, routing};
    use tower::ServiceExt;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    async fn breaks_down() {
        panic!("on purpose")
    }

    #[tokio::test]
    async fn a_handler_that_panics_is_a_problem_that_tells_nothing() {
        let router = Router::new().route("/", routing::get(breaks_down));
        let router = router.layer(CatchPanicLayer::custom(broken_down));
        let request = Request::get("/").body(Body::empty()).expect("a request");
        let response = router.oneshot(request).await.expect("an answer");
        assert_eq!(response.status(), 500);
        let body = axum::body::to_bytes(response.into_body(), 1000).await.expect("a body");
        let body = String::from_utf8(body.to_vec()).expect("text");
        assert!(body.contains("\"failed\"") && !body.contains("on purpose"), "{body}");
    }

    #[tokio::test]
    async fn a_call_that_takes_too_long_is_given_up() {
        let patience = from_fn_with_state(Duration::from_millis(1), not_too_long);
        let endless = routing::get(std::future::pending::<()>);
        let router = Router::new().route("/", endless).layer(patience);
        let request = Request::get("/").body(Body::empty()).expect("a request");
        let response = router.oneshot(request).await.expect("an answer");
        assert_eq!(response.status(), 503);
    }
}
