//! The door: takes connections, bounded in number and in patience, and answers on them.
//!
//! What a client that means ill can do before anybody knows who it is ends here: heads that come
//! byte by byte, answers that are never taken, connections that are only held.

mod connections;
mod files;
mod head_timeout;
mod write_timeout;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::response::Response;
use axum::{BoxError, Router};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceExt};

use crate::api::guard::Hangup;
use crate::service::Metrics;
use connections::{Busy, ConnectionPermit, Connections};
use head_timeout::HeadTimeout;
use write_timeout::WriteTimeout;

/// How long a client may take to send a request.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// A request's head, from its first byte on, or from the begin of the connection.
    head: Duration,
    /// The next request on an open connection.
    idle: Duration,
}

/// Connections are kept longer than proxies keep them (nginx and AWS 60 s, Caddy 120 s, Azure 240 s, Google
/// 600 s): the proxy closes first, so no request meets a connection that was just closed.
const LIMITS: Limits = Limits { head: Duration::from_secs(10), idle: Duration::from_mins(11) };
/// A client may take nothing of its answer for so long.
const STALL: Duration = Duration::from_secs(30);
/// Bytes of a request's head.
const LONGEST_HEAD: usize = 32 * 1024;
/// Bytes that a client's system takes off our hands at once.
const SHORT: u64 = 16 * 1024;
/// How long to wait before taking the next connection after the system refused one.
const BREATH: Duration = Duration::from_millis(50);

/// What a client is told for whom there is no place.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\nretry-after: 1\r\nconnection: close\r\n\
    content-length: 148\r\n\r\n\
    {\"type\":\"about:blank\",\"title\":\"Too many connections\",\"status\":503,\
    \"detail\":\"every connection is in use; try again in a moment\",\"code\":\"overloaded\"}\n";

/// Answers on this socket until told to stop, then lets requests under way come to their end.
pub async fn listen(
    listener: TcpListener,
    router: Router,
    most_connections: usize,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let connections = Connections::at_most(files::room_for(most_connections));
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!("could not accept a connection: {error}");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let Some((place, crowded)) = connections.take_place() else {
            metrics.connection("refused");
            // Into an empty buffer; who cannot take it is told nothing.
            let _ = stream.try_write(FULL);
            continue;
        };
        metrics.connection(if crowded { "accepted_for_an_idle_one" } else { "accepted" });
        let hangup = Hangup(CancellationToken::new());
        let answering = Answering { router: router.clone(), place: Arc::new(place), peer, hangup };
        // A small answer is not to wait for more.
        let _ = stream.set_nodelay(true);
        tasks.spawn(converse(stream, answering, LIMITS, stop.clone()));
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

/// One connection from its begin to its end.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    answering: Answering,
    limits: Limits,
    stop: CancellationToken,
) {
    let evicted = answering.place.evicted();
    let Hangup(hangup) = answering.hangup.clone();
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).max_buf_size(LONGEST_HEAD);
    builder.http1().header_read_timeout(limits.idle);
    let stream = HeadTimeout::new(stream, limits.head, answering.place.clone());
    let io = TokioIo::new(WriteTimeout::new(stream, STALL));
    let connection = builder.serve_connection(io, TowerToHyperService::new(answering));
    let mut connection = std::pin::pin!(connection);
    let mut evicted = std::pin::pin!(evicted);
    let mut hangup = std::pin::pin!(hangup.cancelled());
    let mut stopping = std::pin::pin!(stop.cancelled().fuse());
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!("a connection was closed early: {error}");
                }
                return;
            }
            () = evicted.as_mut() => return,
            () = hangup.as_mut() => return,
            () = stopping.as_mut() => connection.as_mut().graceful_shutdown(),
        }
    }
}

/// Answers the requests of one connection.
#[derive(Clone)]
struct Answering {
    router: Router,
    place: Arc<ConnectionPermit>,
    peer: SocketAddr,
    hangup: Hangup,
}

impl<B> Service<Request<B>> for Answering
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let busy = self.place.busy();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        request.extensions_mut().insert(self.hangup.clone());
        let router = self.router.clone();
        async move { Ok(until_sent(busy, router.oneshot(request).await?)) }.boxed()
    }
}

/// A long answer keeps its connection busy until it is sent.
fn until_sent(busy: Busy, response: Response) -> Response {
    if response.body().size_hint().exact().is_some_and(|bytes| bytes <= SHORT) {
        return response;
    }
    response.map(|body| {
        Body::from_stream(body.into_data_stream().map(move |part| {
            let _busy = &busy;
            part
        }))
    })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    const LONG: Duration = Duration::from_mins(2);

    /// A connection whose requests are answered with `ok`.
    fn connection(limits: Limits) -> DuplexStream {
        let (client, server) = tokio::io::duplex(64 * 1024);
        let (place, _) = Connections::at_most(1).take_place().expect("a place");
        let answering = Answering {
            router: Router::new().fallback(async || "ok"),
            place: Arc::new(place),
            peer: ([127, 0, 0, 1], 1).into(),
            hangup: Hangup(CancellationToken::new()),
        };
        tokio::spawn(converse(server, answering, limits, CancellationToken::new()));
        client
    }

    async fn ask(client: &mut DuplexStream) {
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("it is open");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nok") {
            assert_ne!(client.read_buf(&mut answer).await.expect("an answer"), 0, "it was closed");
        }
    }

    async fn is_closed(mut client: DuplexStream) -> bool {
        client.read(&mut [0; 64]).await.expect("an end") == 0
    }

    #[test]
    fn a_connection_is_kept_longer_than_any_proxy_keeps_it() {
        assert!(LIMITS.idle > Duration::from_secs(600 + 30));
    }

    #[tokio::test]
    async fn the_next_request_may_come_later_than_a_head_may_take() {
        let limits = Limits { head: Duration::from_secs(2), idle: LONG };
        let mut client = connection(limits);
        ask(&mut client).await;
        tokio::time::sleep(limits.head + Duration::from_secs(1)).await;
        ask(&mut client).await;
        client.write_all(b"GET / HTT").await.expect("it is open");
        assert!(is_closed(client).await, "a head must end on an old connection, too");
    }

    #[tokio::test]
    async fn a_connection_that_asks_nothing_more_is_closed_in_the_end() {
        let mut client = connection(Limits { head: LONG, idle: Duration::from_secs(2) });
        ask(&mut client).await;
        assert!(is_closed(client).await);
    }

    #[tokio::test]
    async fn a_new_connection_that_asks_nothing_is_closed_soon() {
        let limits = Limits { head: Duration::from_millis(100), idle: LONG };
        assert!(is_closed(connection(limits)).await);
    }

    #[test]
    fn the_refusal_says_how_long_it_is() {
        let text = std::str::from_utf8(FULL).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
        serde_json::from_str::<serde_json::Value>(body).expect("JSON");
    }
}
