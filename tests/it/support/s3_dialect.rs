//! A proxy before an S3 server that answers as other servers do: it refuses some requests, changes
//! others, or says nothing. It counts the requests.

use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::s3_proxy::{forward, read_request};

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// The server answers it.
    Forward,
    /// The server answers it, and has not seen these headers (of which names are lower-case).
    Without(&'static [&'static str]),
    /// An error of this status and code.
    Error(u16, &'static str),
    /// Nothing, for ever.
    Nothing,
}

/// One request: its first line, its headers in lower case.
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    /// How many were seen before this one.
    pub number: usize,
}

impl Request {
    fn parse(bytes: &[u8], number: usize) -> Self {
        let head = memchr::memmem::find(bytes, b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&bytes[..head]);
        let mut lines = head.lines();
        let mut first = lines.next().expect("a line").split(' ').map(str::to_owned);
        let (method, path) = (first.next().expect("a method"), first.next().expect("a path"));
        let header = |line: &str| {
            let (name, value) = line.split_once(':').expect("a header");
            (name.to_lowercase(), value.trim().to_owned())
        };
        Self { method, path, headers: lines.map(header).collect(), number }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    /// Whether it is a PUT that is to be done under a condition.
    pub fn is_conditional(&self) -> bool {
        self.method == "PUT"
            && (self.header("if-none-match").is_some() || self.header("if-match").is_some())
    }

    pub fn is_bulk_delete(&self) -> bool {
        self.method == "POST" && self.path.contains("?delete")
    }
}

type Rule = dyn Fn(&Request) -> Says + Send + Sync;

/// Answers until it is dropped.
pub struct Dialect {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
    task: AbortHandle,
}

impl Dialect {
    /// Before the server at this port.
    pub async fn before(
        server: u16,
        rule: impl Fn(&Request) -> Says + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let (rule, log): (Arc<Rule>, _) = (Arc::new(rule), seen.clone());
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.expect("a connection");
                tokio::spawn(serve(client, server, rule.clone(), log.clone()));
            }
        });
        Self { port, seen, task: task.abort_handle() }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Method and path of each request since the last call.
    pub fn take_seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().expect("sound"))
    }
}

impl Drop for Dialect {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut client: TcpStream, server: u16, rule: Arc<Rule>, seen: Arc<Mutex<Vec<String>>>) {
    let Some(bytes) = read_request(&mut client).await else { return };
    let request = {
        let mut seen = seen.lock().expect("sound");
        let request = Request::parse(&bytes, seen.len());
        seen.push(format!("{} {}", request.method, request.path));
        request
    };
    let answer = match rule(&request) {
        Says::Forward => forward(server, &bytes).await.unwrap_or_default(),
        Says::Without(names) => forward(server, &without(&bytes, names)).await.unwrap_or_default(),
        Says::Error(status, code) => refusal(status, code, request.method == "HEAD"),
        Says::Nothing => std::future::pending().await,
    };
    let _ = client.write_all(&answer).await;
}

fn without(bytes: &[u8], names: &[&str]) -> Vec<u8> {
    let head = memchr::memmem::find(bytes, b"\r\n\r\n").expect("a head");
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let stays = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default().to_lowercase();
        !names.contains(&name.as_str())
    };
    let kept: Vec<_> = text.split("\r\n").filter(stays).collect();
    [kept.join("\r\n").as_bytes(), &bytes[head..]].concat()
}

fn refusal(status: u16, code: &str, is_head: bool) -> Vec<u8> {
    let body = format!("<Error><Code>{code}</Code><Message>The dialect says so.</Message></Error>");
    let length = body.len();
    let body = if is_head { "" } else { &body };
    let head = format!("HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\n");
    format!("{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes()
}
