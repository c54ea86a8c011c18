//! A service that takes notices: an HTTP server that keeps what it is sent, and answers as it is told.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::serving::until;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

/// What is answered; `None` is no answer at all.
type Answer = Option<(StatusCode, HeaderMap)>;

/// The receiver. Cloning is cheap.
#[derive(Clone)]
pub struct Receiver {
    pub address: String,
    requests: Arc<Mutex<Vec<Received>>>,
    answer: Arc<Mutex<Answer>>,
}

impl Receiver {
    /// One that takes everything.
    pub async fn start() -> Self {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("bound").to_string();
        let receiver = Self {
            address,
            requests: Arc::default(),
            answer: Arc::new(Mutex::new(Some((StatusCode::OK, HeaderMap::new())))),
        };
        let router = axum::Router::new().fallback(take).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(socket, router).await.expect("it serves") });
        receiver
    }

    /// Answers with this status from now on.
    pub fn answer(&self, status: u16, header: Option<(&'static str, &str)>) {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(name, value.parse().expect("a header"));
        }
        let status = StatusCode::from_u16(status).expect("a status");
        *self.answer.lock().expect("no panic") = Some((status, headers));
    }

    /// Answers nothing from now on.
    pub fn hang(&self) {
        *self.answer.lock().expect("no panic") = None;
    }

    /// The requests, once there are so many.
    pub async fn until(&self, number: usize) -> Vec<Received> {
        until("a request", async || self.requests.lock().expect("no panic").len() >= number).await;
        self.requests.lock().expect("no panic").clone()
    }

    /// How many requests there were.
    pub fn count(&self) -> usize {
        self.requests.lock().expect("no panic").len()
    }
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("text")
    }
}

async fn take(
    State(receiver): State<Receiver>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path_and_query().expect("a path").to_string();
    let body = String::from_utf8(body.to_vec()).expect("text");
    let request = Received { method, path, headers, body };
    receiver.requests.lock().expect("no panic").push(request);
    let answer = receiver.answer.lock().expect("no panic").clone();
    match answer {
        Some(answer) => answer.into_response(),
        None => std::future::pending().await,
    }
}
