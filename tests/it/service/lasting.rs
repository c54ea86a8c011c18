//! What was allowed once ends when the token ends: streams, downloads, uploads, jobs that wait.

use std::fs;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use ipam_rewind::model::{seal, unseal};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::faults::running::{hold, until_it_waits_for_a_table};
use crate::support::program::Program;
use crate::support::serving::{DEADLINE, Serving, ok, refused, until};
use crate::support::{TestDatabase, sample_database};

fn token(program: &Program, name: &str, role: &str) -> String {
    program.ok(&["token", "create", name, "--role", role]).trim().to_owned()
}

/// The streams of events that one token may have.
const STREAMS_EACH: usize = 16;

async fn follow(serving: &Serving, token: &str) -> reqwest::Response {
    serving.get("/api/events").bearer_auth(token).send().await.expect("it answers")
}

#[tokio::test]
async fn streams_of_a_revoked_token_end_at_once_and_their_slots_are_free() {
    let program = Program::at(None);
    let (viewer, other) = (token(&program, "v", "viewer"), token(&program, "o", "viewer"));
    let serving = Serving::start(&program, &[]);
    let mut streams = Vec::new();
    for _ in 0..STREAMS_EACH {
        let stream = follow(&serving, &viewer).await;
        assert_eq!(stream.status(), 200);
        streams.push(stream);
    }
    let more = refused(serving.get("/api/events").bearer_auth(&viewer)).await;
    assert_eq!(more, (429, "too_many_at_once".into()));
    let mut goes_on = follow(&serving, &other).await;
    assert_eq!(goes_on.status(), 200, "a token does not take the slots of others");

    program.ok(&["token", "revoke", "v"]);
    // No job changes: nothing but the revocation ends them.
    for stream in streams {
        let text = timeout(DEADLINE, stream.text()).await.expect("in time").expect("in order");
        assert!(!text.contains("event: job"), "{text}");
    }
    // A new token of the same name has the slots of the old one.
    let again = token(&program, "v", "viewer");
    for _ in 0..STREAMS_EACH {
        assert_eq!(follow(&serving, &again).await.status(), 200);
    }
    let quiet = timeout(Duration::from_millis(500), goes_on.chunk()).await;
    assert!(quiet.is_err(), "the other one goes on: {quiet:?}");
}

#[tokio::test]
async fn a_stream_ends_when_its_token_is_replaced_by_one_of_the_same_name() {
    let program = Program::at(None);
    let old = token(&program, "v", "viewer");
    let serving = Serving::start(&program, &[]);
    let stream = follow(&serving, &old).await;
    program.ok(&["token", "revoke", "v"]);
    token(&program, "v", "viewer");
    timeout(DEADLINE, stream.text()).await.expect("in time").expect("in order");
}

#[tokio::test]
async fn a_stream_of_everybody_ends_when_the_first_token_is_made() {
    let program = Program::at(None);
    let serving = Serving::start(&program, &[]);
    let stream = serving.get("/api/events").send().await.expect("it answers");
    token(&program, "v", "viewer");
    timeout(DEADLINE, stream.text()).await.expect("in time").expect("in order");
}

#[tokio::test]
async fn a_stream_ends_when_its_token_expires() {
    let program = Program::at(None);
    let expiring = token(&program, "v", "viewer");
    let serving = Serving::start(&program, &[]);
    let stream = follow(&serving, &expiring).await;
    // No token can be made that expires so soon.
    let path = program.store().join("service/tokens.json");
    let text = fs::read(&path).expect("readable");
    let mut tokens = unseal::<Value>(&text).expect("whole").value;
    let end = Utc::now() + TimeDelta::seconds(2);
    tokens["tokens"][0]["expires_at"] = json!(end);
    fs::write(&path, seal(&tokens)).expect("written");
    timeout(DEADLINE, stream.text()).await.expect("in time").expect("in order");
    assert!(Utc::now() >= end);
    let next = follow(&serving, &expiring).await;
    assert_eq!(next.status(), 401);
}

/// A site whose archive is larger than what the system takes off the service's hands.
async fn large_site() -> TestDatabase {
    let database = sample_database().await;
    let noise = "ALTER TABLE prefix DISABLE TRIGGER USER;
        UPDATE prefix SET tags = jsonb_build_object('noise', (SELECT
           string_agg(md5(prefix_id || n), '') FROM generate_series(1, 150) n));
        ALTER TABLE prefix ENABLE TRIGGER USER";
    database.sql(noise).await;
    database
}

/// Asks for a file and takes nothing but the head of the answer.
async fn take_nothing(serving: &Serving, path: &str, token: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(16 << 10).expect("small");
    let mut stream = socket.connect(serving.address).await.expect("it takes connections");
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut head = [0; 15];
    stream.read_exact(&mut head).await.expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    stream
}

#[tokio::test]
async fn downloads_of_a_revoked_token_break_off_also_if_nothing_is_taken() {
    let database = large_site().await;
    let program = Program::on(&database);
    let id = program.backup();
    let (viewer, other) = (token(&program, "v", "viewer"), token(&program, "o", "viewer"));
    let serving = Serving::start(&program, &[]);
    let path = format!("/api/backup/{id}/archive");
    let whole = serving.get(&path).bearer_auth(&other).send().await.expect("it answers");
    let size = whole.bytes().await.expect("all of it").len();
    assert!(size > 12 << 20, "{size} bytes might fit into the system's buffers");

    let mut downloads = Vec::new();
    for _ in 0..4 {
        downloads.push(take_nothing(&serving, &path, &viewer).await);
    }
    let more = refused(serving.get(&path).bearer_auth(&viewer)).await;
    assert_eq!(more, (429, "too_many_at_once".into()));
    program.ok(&["token", "revoke", "v"]);
    let viewer = token(&program, "v", "viewer");
    until("the slots of the revoked token", async || {
        let file = serving.get(&path).bearer_auth(&viewer).send().await.expect("it answers");
        file.status() == 200
    })
    .await;
    for mut download in downloads {
        let mut rest = Vec::new();
        // It ends by a reset, or early.
        let _ = timeout(DEADLINE, download.read_to_end(&mut rest)).await.expect("it ends");
        assert!(rest.len() < size, "{} of {size} bytes came", rest.len());
    }
}

#[tokio::test]
async fn an_upload_of_a_revoked_token_ends_at_once() {
    let program = Program::at(None);
    let admin = token(&program, "a", "admin");
    token(&program, "other", "admin");
    let serving = Serving::start(&program, &[]);
    let mut stream = TcpStream::connect(serving.address).await.expect("it takes connections");
    let head = format!(
        "POST /api/import HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {admin}\r\n\
         Content-Type: application/x-tar\r\nContent-Length: 1000000\r\n\r\nbegun"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let spooled = || {
        let open = std::fs::read_dir(format!("/proc/{}/fd", serving.pid())).expect("it runs");
        let links = open.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        links.filter(|link| link.to_string_lossy().ends_with("(deleted)")).count()
    };
    until("the upload", async || spooled() == 1).await;
    program.ok(&["token", "revoke", "a"]);
    let mut answer = vec![0; 12];
    let read = timeout(DEADLINE, stream.read_exact(&mut answer)).await.expect("in time");
    read.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 401");
    until("the end of the upload", async || spooled() == 0).await;
}

#[tokio::test]
async fn a_job_that_waits_is_not_begun_once_its_token_is_revoked() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let (operator, admin) = (token(&program, "op", "operator"), token(&program, "a", "admin"));
    let serving = Serving::start(&program, &["--lock-timeout", "600"]);
    let held = hold(&database, "LOCK TABLE vrf IN ACCESS EXCLUSIVE MODE").await;
    let post = |token: &str| serving.post("/api/backup").bearer_auth(token);
    let running = ok(post(&admin).header("prefer", "respond-async")).await["job"].clone();
    until_it_waits_for_a_table(&database).await;
    let waiting = ok(post(&operator).header("prefer", "respond-async")).await["job"].clone();
    assert_eq!(waiting["state"], "queued");
    let waits_for_it = tokio::spawn(refused(post(&operator)));
    let count = async || {
        let jobs = ok(serving.get("/api/jobs").bearer_auth(&admin)).await;
        let queued = |job: &&serde_json::Value| job["state"] == "queued";
        jobs["jobs"].as_array().expect("a list").iter().filter(queued).count()
    };
    until("two jobs that wait", async || count().await == 2).await;

    program.ok(&["token", "revoke", "op"]);
    assert_eq!(waits_for_it.await.expect("no panic"), (401, "unauthenticated".into()));
    until("the end of what waits", async || count().await == 0).await;
    let job = async |job: &serde_json::Value| {
        let path = format!("/api/jobs/{}", job["job_id"].as_str().expect("an id"));
        ok(serving.get(&path).bearer_auth(&admin)).await["job"].clone()
    };
    let ended = job(&waiting).await;
    assert_eq!(ended["state"], "cancelled");
    let why = ended["problem"]["detail"].as_str().expect("a detail");
    assert!(why.contains("revoked"), "{why}");
    drop(held);
    until("the end of what runs", async || job(&running).await["state"] == "succeeded").await;
    assert_eq!(program.ids().len(), 1);
}

#[tokio::test]
async fn nobody_fills_the_queue_of_jobs_alone() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let (robot, admin) = (token(&program, "robot", "operator"), token(&program, "a", "admin"));
    let serving = Serving::start(&program, &["--lock-timeout", "600"]);
    let held = hold(&database, "LOCK TABLE vrf IN ACCESS EXCLUSIVE MODE").await;
    let post = |token: &str| {
        serving.post("/api/backup").bearer_auth(token).header("prefer", "respond-async")
    };
    ok(post(&admin)).await;
    until_it_waits_for_a_table(&database).await;
    for _ in 0..8 {
        ok(post(&robot)).await;
    }
    assert_eq!(refused(post(&robot)).await, (429, "too_many_jobs".into()));
    ok(post(&admin)).await;
    drop(held);
}
