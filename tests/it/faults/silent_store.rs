//! A store that says nothing any more: it is named within seconds, and given up.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::bucket::Bucket;
use super::running::{Running, until};
use crate::support::program::Program;
use crate::support::s3::{Kind, environment};
use crate::support::s3_dialect::{Request, Says};
use crate::support::serving::ok;

/// A server that accepts connections and says nothing.
struct Silent {
    address: String,
    port: u16,
    accepting: AbortHandle,
}

impl Silent {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let accepting = tokio::spawn(async move {
            let mut connections = Vec::new();
            loop {
                connections.push(listener.accept().await.expect("a connection"));
            }
        });
        Self {
            address: format!("http://127.0.0.1:{port}"),
            port,
            accepting: accepting.abort_handle(),
        }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Runs a command that must fail within this time; what it said on standard error.
async fn given_up(command: Command, within: Duration) -> String {
    let begun = Instant::now();
    let ended = Running::of(command).ended().await;
    let took = begun.elapsed();
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(took < within, "{took:?}: {}", ended.err);
    ended.err
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_server_is_named_within_seconds_and_given_up_soon() {
    let silent = Silent::start().await;
    let program = Program::at(None);
    let mut command = program.command(&["list"]);
    command.env("BACKUP_STORE", "s3://bucket/store").envs(environment(silent.port));
    let said = given_up(command, Duration::from_secs(30)).await;
    let waiting = format!("waiting for the object store at {} for 5 s", silent.address);
    assert!(said.contains(&waiting), "{said}");
    let reason = format!("no answer from {} within 20 s", silent.address);
    assert!(said.contains(&reason), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn server_that_falls_silent_is_named_and_given_up_as_the_parameters_say() {
    let speak = |request: &Request| {
        if request.path.contains("/packs/") { Says::Nothing } else { Says::Forward }
    };
    let site = Bucket::behind(Kind::Moto, speak).await;
    let mut command = site.command(&["backup"]);
    command.env("BACKUP_STORE", "s3://bucket/store?timeout=8&retry=1");
    let said = given_up(command, Duration::from_secs(30)).await;
    assert!(said.contains("waiting for the object store at http://"), "{said}");
    assert_eq!(site.ids().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_metadata_service_is_named_and_where_else_credentials_were_looked_for() {
    let silent = Silent::start().await;
    let program = Program::at(None);
    let mut command = program.command(&["list"]);
    command.env("BACKUP_STORE", "s3://bucket/store");
    command.env("AWS_METADATA_ENDPOINT", &silent.address);
    let said = given_up(command, Duration::from_secs(20)).await;
    assert!(said.contains("waiting for S3 credentials from "), "{said}");
    for sought in
        ["AWS_ACCESS_KEY_ID", "web identity", "container", "instance metadata", &silent.address]
    {
        assert!(said.contains(sought), "{sought}: {said}");
    }
    assert!(said.contains("no credentials found in AWS_ACCESS_KEY_ID"), "{said}");
}

/// Falls silent as a backup gives its last lock back, since the service looks at the store after each job.
#[tokio::test(flavor = "multi_thread")]
async fn service_whose_bucket_falls_silent_says_so_and_keeps_nobody_waiting() {
    let (is_ending, is_silent) = (Arc::new(AtomicBool::new(false)), AtomicBool::new(false));
    let ending = is_ending.clone();
    let site = Bucket::behind(Kind::Moto, move |request| {
        let gives_lock_back =
            request.method == "DELETE" && request.path.contains("/locks/objects/");
        if is_silent.load(Ordering::Relaxed) {
            return Says::Nothing;
        }
        is_silent.store(gives_lock_back && ending.load(Ordering::Relaxed), Ordering::Relaxed);
        Says::Forward
    })
    .await;
    site.backup().await;
    let service = site.serve();
    assert_eq!(service.json("/api/health").await["status"], "ok");
    is_ending.store(true, Ordering::Relaxed);
    ok(service.post("/api/backup")).await;
    until("a service that is failing", async || {
        let request = service.get("/api/health").header("Connection", "close");
        let asked = ok(request.timeout(Duration::from_secs(20))).await;
        asked["status"] == "failing" && asked["checks"]["store"]["detail"] == "it does not answer"
    })
    .await;
    let metrics = service.get("/metrics").timeout(Duration::from_secs(20)).send().await;
    assert!(metrics.expect("it answers").status().is_success());
}
