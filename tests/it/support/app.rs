//! The service built in-process, called without a socket.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use ipam_rewind::api::{Settings, router};
use ipam_rewind::engine::Engine;
use ipam_rewind::service::{Service, StateFolder};
use serde_json::Value;
use tower::ServiceExt;

use super::{TestDatabase, http_client};

/// The service over a store of its own and, perhaps, a database.
pub struct App {
    pub service: Service,
    pub router: axum::Router,
    pub folder: tempfile::TempDir,
}

/// What it answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl App {
    pub async fn on(database: &TestDatabase) -> Self {
        Self::with(Some(database.url.clone()), Settings::default()).await
    }

    pub async fn with(database: Option<String>, settings: Settings) -> Self {
        let folder = super::folder();
        let store = folder.path().join("store");
        std::fs::create_dir(&store).expect("made");
        let place = store.to_str().expect("plain text");
        let engine = Engine::open_or_create(place, database).await.expect("a store");
        // Tests hold tables for as long as a busy machine takes.
        let engine = engine.with_lock_timeout(Duration::from_mins(10));
        let state = StateFolder::open(&folder.path().join("state")).expect("a state folder");
        let service = Service::start(engine, state).await.expect("it starts");
        Self { router: router(service.clone(), settings), service, folder }
    }

    /// A service that is there already, whose folders are elsewhere.
    pub fn over(service: Service) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { router: router(service.clone(), Settings::default()), service, folder }
    }

    pub async fn call(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("it always answers");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("the body ends well");
        Answer { status: parts.status, headers: parts.headers, bytes: bytes.to_vec() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(request("GET", path)).await
    }

    pub async fn post(&self, path: &str) -> Answer {
        self.call(request("POST", path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(request("DELETE", path)).await
    }

    pub async fn post_json(&self, path: &str, body: &str) -> Answer {
        let request = Request::post(path).header("content-type", "application/json");
        self.call(request.body(body.to_owned().into()).expect("a request")).await
    }

    /// Asks for a job without waiting for it; its id.
    pub async fn start(&self, method: &str, path: &str) -> String {
        let mut request = request(method, path);
        request.headers_mut().insert("prefer", "respond-async".parse().expect("a header"));
        let answer = self.call(request).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        answer.json()["job"]["job_id"].as_str().expect("an id").to_owned()
    }

    /// Makes a backup; its id.
    pub async fn backup(&self) -> String {
        let made = self.post("/api/backup").await.ok();
        made["backup_id"].as_str().expect("an id").to_owned()
    }

    /// Damages the middle of every pack.
    pub fn damage(&self) {
        let packs = self.folder.path().join("store/packs");
        let folders = std::fs::read_dir(packs).expect("packs").flatten();
        let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).expect("a folder"));
        for file in files.flatten() {
            let mut bytes = std::fs::read(file.path()).expect("readable");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 4;
            std::fs::write(file.path(), bytes).expect("written");
        }
    }

    /// The job as it is now.
    pub async fn job(&self, id: &str) -> Value {
        self.get(&format!("/api/jobs/{id}")).await.ok()["job"].clone()
    }

    /// Waits until the job is in this state.
    pub async fn until(&self, id: &str, state: &str) -> Value {
        let mut changes = self.service.jobs.follow();
        loop {
            let job = self.job(id).await;
            if job["state"] == state {
                return job;
            }
            let change = tokio::time::timeout(std::time::Duration::from_mins(1), changes.changed());
            change.await.unwrap_or_else(|_| panic!("not {state}: {job}")).expect("it lives");
        }
    }
}

/// A request without a body.
pub fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).expect("a request")
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("plain text"))
    }

    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.bytes);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
    }

    /// The body of a success.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", String::from_utf8_lossy(&self.bytes));
        self.json()
    }

    /// The problem that it must be, with this status and this code.
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let body = self.json();
        assert_eq!((self.status.as_u16(), &body["code"]), (status, &code.into()), "{body}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(body["status"], status);
        assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{body}");
        body
    }
}

/// The service on a socket of its own, as long as this value lives.
pub struct Listening {
    pub address: String,
    client: reqwest::Client,
    task: tokio::task::JoinHandle<()>,
}

impl Listening {
    pub async fn to(app: &App) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let router = app.router.clone();
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self { address, client: http_client(), task }
    }

    pub fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("{}{path}", self.address))
    }

    pub fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.post(format!("{}{path}", self.address))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}
