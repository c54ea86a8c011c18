//! A proxy before an S3 server that holds up single requests for as long as a test wants, or loses
//! their answers. A request that is held up reaches the server even if its sender has given up.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

type Matches = Box<dyn Fn(&str) -> bool + Send>;

struct Rule {
    matches: Matches,
    what: What,
    arrived: watch::Sender<bool>,
    answered: watch::Sender<Option<String>>,
}

enum What {
    /// Not sent on before this is released.
    HoldUp(oneshot::Receiver<()>),
    /// Sent on; the answer is kept back.
    LoseAnswer,
}

#[derive(Default)]
struct Rules {
    rules: Vec<Rule>,
    is_down: bool,
}

/// Relays until it is dropped.
pub struct Proxy {
    port: u16,
    rules: Arc<Mutex<Rules>>,
    task: AbortHandle,
}

/// One request that the proxy treats in its own way.
pub struct Caught {
    arrived: watch::Receiver<bool>,
    answered: watch::Receiver<Option<String>>,
    release: Option<oneshot::Sender<()>>,
}

impl Caught {
    /// Waits until the request has come to the proxy.
    pub async fn arrived(&mut self) {
        self.arrived.wait_for(|arrived| *arrived).await.expect("the proxy runs");
    }

    /// Lets the request go on to the server; waits for its answer, and returns its first line.
    pub async fn release(mut self) -> String {
        if let Some(release) = self.release.take() {
            release.send(()).expect("the proxy waits");
        }
        let line = self.answered.wait_for(Option::is_some).await.expect("the proxy runs");
        line.clone().expect("just seen")
    }
}

impl Proxy {
    /// Before the server at this port.
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let rules: Arc<Mutex<Rules>> = Arc::default();
        let shared = rules.clone();
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.expect("a connection");
                tokio::spawn(serve(client, server, shared.clone()));
            }
        });
        Self { port, rules, task: task.abort_handle() }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Holds up the next request of which this is true; it is given method, path, headers, body.
    pub fn hold_up(&self, matches: impl Fn(&str) -> bool + Send + 'static) -> Caught {
        let (release, released) = oneshot::channel();
        self.catch(Box::new(matches), What::HoldUp(released), Some(release))
    }

    /// Sends the next request of which this is true on, but never its answer back.
    pub fn lose_answer(&self, matches: impl Fn(&str) -> bool + Send + 'static) -> Caught {
        self.catch(Box::new(matches), What::LoseAnswer, None)
    }

    fn catch(&self, matches: Matches, what: What, release: Option<oneshot::Sender<()>>) -> Caught {
        let (arrived, has_arrived) = watch::channel(false);
        let (answered, was_answered) = watch::channel(None);
        let rule = Rule { matches, what, arrived, answered };
        self.rules.lock().expect("sound").rules.push(rule);
        Caught { arrived: has_arrived, answered: was_answered, release }
    }

    /// From now on every connection is closed at once, or no longer.
    pub fn set_down(&self, is_down: bool) {
        self.rules.lock().expect("sound").is_down = is_down;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut client: TcpStream, server: u16, rules: Arc<Mutex<Rules>>) {
    let Some(request) = read_request(&mut client).await else { return };
    let text = String::from_utf8_lossy(&request).into_owned();
    let rule = {
        let mut rules = rules.lock().expect("sound");
        let found = rules.rules.iter().position(|rule| (rule.matches)(&text));
        match found.map(|at| rules.rules.remove(at)) {
            None if rules.is_down => return,
            rule => rule,
        }
    };
    let Some(rule) = rule else {
        if let Ok(answer) = forward(server, &request).await {
            let _ = client.write_all(&answer).await;
        }
        return;
    };
    let (answer, answered) = oneshot::channel();
    tokio::spawn(async move {
        rule.arrived.send_replace(true);
        let is_lost = matches!(rule.what, What::LoseAnswer);
        if let What::HoldUp(released) = rule.what {
            let _ = released.await;
        }
        let bytes = forward(server, &request).await.unwrap_or_default();
        let line = String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned();
        rule.answered.send_replace(Some(line));
        if is_lost {
            // Until the sender gives up.
            std::future::pending::<()>().await;
        }
        let _ = answer.send(bytes);
    });
    let mut byte = [0];
    tokio::select! {
        Ok(answer) = answered => { let _ = client.write_all(&answer).await; }
        _ = client.peek(&mut byte) => {}
    }
}

pub async fn read_request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut bytes = vec![0; 64 << 10];
    loop {
        if let Some(head) = memchr::memmem::find(&request, b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |length| length.trim().parse().expect("a length"));
            if request.len() >= head + 4 + length {
                return Some(request);
            }
        }
        match client.read(&mut bytes).await {
            Ok(count) if count > 0 => request.extend_from_slice(&bytes[..count]),
            _ => return None,
        }
    }
}

/// Sends one request on a connection of its own.
pub async fn forward(server: u16, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut upstream = TcpStream::connect(("127.0.0.1", server)).await?;
    let line = memchr::memmem::find(request, b"\r\n").map_or(0, |end| end + 2);
    let closing = [&request[..line], b"Connection: close\r\n", &request[line..]].concat();
    upstream.write_all(&closing).await?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).await?;
    Ok(answer)
}
