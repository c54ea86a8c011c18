//! The requests to an S3 server: each with a checksum that every server knows, none sent again that the
//! server refuses for good, and none waited for in silence.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_body_util::BodyExt as _;
use md5::digest::Output;
use md5::{Digest, Md5};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpService, ReqwestConnector,
};
use object_store::{ClientOptions, Error, HeaderValue};

use crate::store::backend::s3::Fault;
use crate::threads::locked;

/// Time limit of a server's very first answer.
const FIRST_ANSWER: Duration = Duration::from_secs(20);
/// Time until the first message that an answer is waited for; large requests get more.
const SAY_AFTER: Duration = Duration::from_secs(5);
/// Interval between further messages.
const SAY_AGAIN: Duration = Duration::from_secs(30);
/// A slow line, in bytes a second.
const SLOW: u64 = 100 << 10;
/// The most that is read of a refusal.
const MAX_MESSAGE: usize = 500;

/// Makes clients of one server.
#[derive(Debug, Clone)]
pub struct Connector {
    server: Arc<Server>,
}

/// State of a server, as far as is known.
#[derive(Debug)]
struct Server {
    /// Its address, without secrets.
    name: String,
    /// It has answered at least once.
    has_answered: AtomicBool,
    silence: Mutex<Option<Silence>>,
}

/// A time in which requests are under way and none is answered.
#[derive(Debug, Clone, Copy)]
struct Silence {
    since: Instant,
    /// Time of the last attempt.
    tried: Instant,
    /// Time of the last message.
    said: Option<Instant>,
}

impl Connector {
    pub fn to(name: String) -> Self {
        let server =
            Server { name, has_answered: AtomicBool::new(false), silence: Mutex::default() };
        Self { server: Arc::new(server) }
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient, Error> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Requests { inner, server: self.server.clone() }))
    }
}

#[derive(Debug)]
struct Requests {
    inner: HttpClient,
    server: Arc<Server>,
}

#[async_trait]
impl HttpService for Requests {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // Buckets with object lock, and some servers always, want it of every PUT.
        if request.body().content_length() > 0 {
            let sum = BASE64_STANDARD.encode(md5(request.body().clone()).await?);
            let sum = HeaderValue::from_str(&sum).expect("base64 is ASCII");
            request.headers_mut().entry("content-md5").or_insert(sum);
        }
        let what = format!("{} {}", request.method(), request.uri().path());
        let bytes = request.body().content_length() as u64;
        let since = self.server.begin();
        let answer = self.server.wait(&what, bytes, since, self.inner.execute(request)).await;
        match answer {
            Ok(answer) => {
                self.server.heard();
                refused(answer).await
            }
            Err(error) => Err(self.server.failed(&what, error)),
        }
    }
}

impl Server {
    /// A request is sent; since when nothing has been answered.
    fn begin(&self) -> Instant {
        let now = Instant::now();
        let mut silence = locked(&self.silence);
        // An attempt that was broken off long ago says nothing of this one.
        let going_on = silence.filter(|silence| silence.tried.elapsed() < SAY_AGAIN);
        let fresh = Silence { since: now, tried: now, said: None };
        let silence = silence.insert(Silence { tried: now, ..going_on.unwrap_or(fresh) });
        silence.since
    }

    fn heard(&self) {
        self.has_answered.store(true, Ordering::Relaxed);
        *locked(&self.silence) = None;
    }

    /// Waits for an answer, and says so if it takes long.
    async fn wait(
        &self,
        what: &str,
        bytes: u64,
        since: Instant,
        answer: impl Future<Output = Result<HttpResponse, HttpError>>,
    ) -> Result<HttpResponse, HttpError> {
        tokio::pin!(answer);
        let mut next = Instant::now() + SAY_AFTER + Duration::from_secs(bytes / SLOW);
        loop {
            let is_first = !self.has_answered.load(Ordering::Relaxed);
            let limit = since + FIRST_ANSWER;
            let until = if is_first { next.min(limit) } else { next };
            if let Ok(answer) = tokio::time::timeout_at(until.into(), &mut answer).await {
                return answer;
            }
            if is_first && Instant::now() >= limit && !self.has_answered.load(Ordering::Relaxed) {
                return Err(self.silent());
            }
            self.say(&format!("no answer to {what} yet"));
            next = Instant::now() + SAY_AFTER;
        }
    }

    /// Returns what a failed attempt means. A server that has never answered is not asked for ever.
    fn failed(&self, what: &str, error: HttpError) -> HttpError {
        let silence = *locked(&self.silence);
        let waited = silence.map_or(Duration::ZERO, |silence| silence.since.elapsed());
        if waited >= SAY_AFTER {
            self.say(&format!("{what} failed: {}", cause(&error)));
        }
        let is_first = !self.has_answered.load(Ordering::Relaxed);
        if is_first && waited >= FIRST_ANSWER && error.kind() == HttpErrorKind::Timeout {
            return self.silent();
        }
        if is_first && waited >= FIRST_ANSWER {
            return HttpError::new(HttpErrorKind::Unknown, error);
        }
        error
    }

    fn silent(&self) -> HttpError {
        let fault = Fault::Silent { server: self.name.clone(), waited: FIRST_ANSWER };
        HttpError::new(HttpErrorKind::Unknown, fault)
    }

    /// Says, not too often, that this server is waited for.
    fn say(&self, why: &str) {
        let mut silence = locked(&self.silence);
        let Some(silence) = &mut *silence else { return };
        silence.tried = Instant::now();
        if silence.said.is_none_or(|said| said.elapsed() >= SAY_AGAIN) {
            silence.said = Some(Instant::now());
            tracing::warn!(
                "waiting for the object store at {} for {} s: {why}",
                self.name,
                silence.since.elapsed().as_secs()
            );
        }
    }
}

/// The checksum of a body, which is in memory.
async fn md5(mut body: HttpRequestBody) -> Result<Output<Md5>, HttpError> {
    let mut sum = Md5::new();
    while let Some(frame) = body.frame().await {
        if let Ok(bytes) = frame?.into_data() {
            sum.update(&bytes);
        }
    }
    Ok(sum.finalize())
}

/// The answer, unless it is a refusal that no further attempt changes.
async fn refused(answer: HttpResponse) -> Result<HttpResponse, HttpError> {
    let status = answer.status().as_u16();
    // What these mean is known to whoever sent the request.
    let is_known = matches!(status, 401 | 403 | 404 | 408 | 409 | 412 | 416 | 429);
    if !(400..500).contains(&status) && status != 501 || is_known {
        return Ok(answer);
    }
    let (parts, body) = answer.into_parts();
    let body = body.bytes().await?;
    let text = String::from_utf8_lossy(&body);
    let code = element(&text, "Code");
    // AWS calls a connection that was too slow a bad request.
    if code == "RequestTimeout" {
        return Ok(HttpResponse::from_parts(parts, body.into()));
    }
    let fault = Fault::Refused { status, code, message: element(&text, "Message") };
    Err(HttpError::new(HttpErrorKind::Unknown, fault))
}

/// The text of an element of an error's XML; nothing if there is none.
fn element(text: &str, name: &str) -> String {
    let inner = || Some(text.split_once(&format!("<{name}>"))?.1.split_once("</")?.0);
    inner().unwrap_or_default().chars().take(MAX_MESSAGE).collect()
}

fn cause(error: &HttpError) -> String {
    let chain = std::iter::successors(Some(error as &dyn std::error::Error), |it| it.source());
    chain.last().map_or_else(String::new, ToString::to_string)
}
