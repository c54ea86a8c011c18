//! `ipam-rewind serve` as its users run it: a process on a port of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::program::Program;

/// Longer than anything takes on a busy machine.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// A running service; killed with this value.
pub struct Serving {
    child: Child,
    pub address: SocketAddr,
    client: reqwest::Client,
    log: Arc<Mutex<String>>,
}

impl Serving {
    /// Starts it on a free port of this machine.
    pub fn start(program: &Program, options: &[&str]) -> Self {
        Self::of(program.command(&[&["serve", "--listen", "127.0.0.1:0"], options].concat()))
    }

    /// Runs this command, which must begin to serve.
    pub fn of(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the program runs");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let mut words = String::new();
        let address = loop {
            let Some(line) = lines.next() else { panic!("it does not serve: {words}") };
            let line = line.expect("text");
            let address = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next());
            if let Some(address) = address.filter(|_| line.contains("Serving")) {
                break address.parse().expect("an address");
            }
            words += &line;
        };
        let log = Arc::new(Mutex::new(words));
        let kept = log.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *kept.lock().expect("no panic") += &(line + "\n");
            }
        });
        Self { child, address, client: super::http_client(), log }
    }

    /// What it said on standard error.
    pub fn log(&self) -> String {
        self.log.lock().expect("no panic").clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().expect("a method");
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request("GET", path)
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request("POST", path)
    }

    /// The body of an answer that must be a success.
    pub async fn json(&self, path: &str) -> Value {
        ok(self.get(path)).await
    }

    /// Asks it to end, and waits until it has; the exit code.
    pub async fn stop(mut self) -> i32 {
        let pid = i32::try_from(self.pid()).expect("a process id");
        kill(Pid::from_raw(pid), Signal::SIGTERM).expect("it runs");
        until("the end of the service", async || self.child.try_wait().expect("a child").is_some())
            .await;
        self.child.wait().expect("a child").code().unwrap_or(-1)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body of the answer, which must be a success.
pub async fn ok(request: RequestBuilder) -> Value {
    let answer = request.send().await.expect("it answers");
    let status = answer.status();
    let text = answer.text().await.expect("a body");
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// The status and the code of an answer, which must be a problem.
pub async fn refused(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.expect("it answers");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a body");
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e} in {text}"));
    (status, body["code"].as_str().unwrap_or_else(|| panic!("no problem: {text}")).to_owned())
}

/// Waits until something is so.
pub async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !so().await {
        assert!(start.elapsed() < DEADLINE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
