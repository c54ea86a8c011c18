//! Clients that mean ill, against the real program on a loopback socket. Each is bounded in number
//! and in time, and afterwards the service must answer as if nothing had happened.

use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::program::Program;
use crate::support::serving::{DEADLINE, Serving, ok, until};

async fn connect(serving: &Serving) -> TcpStream {
    let connected = timeout(DEADLINE, TcpStream::connect(serving.address)).await;
    connected.expect("in time").expect("it takes connections")
}

/// Sends these bytes and reads until the other side has said what it has to say.
async fn say(serving: &Serving, bytes: &[u8]) -> String {
    let mut stream = connect(serving).await;
    // It may close before it has read all of it.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("it ends");
    String::from_utf8_lossy(&answer).into_owned()
}

async fn get(serving: &Serving, path: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    say(serving, head.as_bytes()).await
}

/// The status of an answer; none if there was no answer.
fn status(answer: &str) -> Option<u16> {
    answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

async fn still_works(serving: &Serving) {
    assert_eq!(serving.json("/api/backups").await["count"], 0);
}

#[tokio::test]
async fn tricks_with_paths_reach_nothing() {
    let program = Program::at(None);
    let serving = Serving::start(&program, &[]);
    for path in [
        "/api/backup/..%2f..%2f..%2fetc%2fpasswd",
        "/api/backup/../../../etc/passwd",
        "/api/backup/%2e%2e/%2e%2e/etc/passwd",
        "/api/backup/20250101_000000%00",
        "/api/backup/20250101_000000%2f..%2fx",
        "/api/backup/20250101_000000/files/..%2fmanifest.json",
        "/api/backup/20250101_000000/files/vrfs%00.json",
        "/api/history/vrf%27%3b--/x",
        "/api/jobs/..%5c..",
        "/api/diff/live/%c0%ae%c0%ae",
    ] {
        let answer = get(&serving, path).await;
        let status = status(&answer).unwrap_or_else(|| panic!("{path}: {answer:?}"));
        assert!((400..500).contains(&status), "{path}: {answer}");
        assert!(answer.contains("application/problem+json"), "{path}: {answer}");
    }
    for path in ["/../../../etc/passwd", "/..%2f..%2f..%2fetc%2fpasswd", "//etc/passwd", "/%00"] {
        let answer = get(&serving, path).await;
        assert!(!answer.contains("root:"), "{path}: {answer}");
    }
    still_works(&serving).await;
}

#[tokio::test]
async fn what_is_overlong_or_no_http_is_turned_away() {
    let program = Program::at(None);
    let serving = Serving::start(&program, &[]);
    let long = get(&serving, &format!("/api/backup/{}", "x".repeat(100_000))).await;
    assert!(matches!(status(&long), Some(400..500)), "{long}");
    let headers: String = (0..2000).map(|number| format!("x-{number}: y\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    assert!(matches!(status(&say(&serving, many.as_bytes()).await), Some(400..500)));
    let both = "POST /api/cleanup HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\
        Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n";
    let answer = say(&serving, both.as_bytes()).await;
    assert!(answer.matches("HTTP/1.1").count() <= 1, "one answer at most: {answer}");
    for noise in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"\0\0\0\0\r\n\r\n", b"GET\r\n\r\n"]
    {
        let answer = say(&serving, noise).await;
        assert!(!matches!(status(&answer), Some(200..300)), "{answer}");
    }
    still_works(&serving).await;
}

#[tokio::test]
async fn a_huge_body_is_refused_before_it_is_read() {
    let program = Program::at(None);
    let serving = Serving::start(&program, &[]);
    let announced = "POST /api/verify HTTP/1.1\r\nHost: localhost\r\n\
        Content-Type: application/json\r\nContent-Length: 999999999999\r\n\r\n{";
    let begun = Instant::now();
    let mut stream = connect(&serving).await;
    stream.write_all(announced.as_bytes()).await.expect("sent");
    let mut head = [0; 12];
    timeout(DEADLINE, stream.read_exact(&mut head)).await.expect("in time").expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 413");
    assert!(begun.elapsed() < Duration::from_secs(20));

    let mut endless = b"POST /api/verify HTTP/1.1\r\nHost: localhost\r\n\
        Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        .to_vec();
    for _ in 0..256 {
        endless.extend_from_slice(b"1000\r\n");
        endless.extend_from_slice(&[b' '; 0x1000]);
        endless.extend_from_slice(b"\r\n");
    }
    let mut stream = connect(&serving).await;
    let (mut read, mut write) = stream.split();
    let mut head = [0; 12];
    let (_, answered) = tokio::join!(write.write_all(&endless), async {
        timeout(DEADLINE, read.read_exact(&mut head)).await.expect("in time")
    });
    answered.expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 413");
    still_works(&serving).await;
}

#[tokio::test]
async fn heads_that_come_byte_by_byte_are_given_up_and_hold_up_nobody() {
    let program = Program::at(None);
    let serving = Serving::start(&program, &[]);
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = connect(&serving).await;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ").await.expect("sent");
        slow.push(stream);
    }
    let begun = Instant::now();
    let dripping = slow.into_iter().map(|mut stream| async move {
        // Drips on until the other side has had enough.
        let mut heard = [0; 512];
        loop {
            match timeout(Duration::from_millis(300), stream.read(&mut heard)).await {
                Ok(Ok(0) | Err(_)) => return,
                Ok(Ok(_)) => {}
                Err(_) => {
                    if stream.write_all(b"x").await.is_err() {
                        return;
                    }
                }
            }
        }
    });
    let others = async {
        for _ in 0..20 {
            let one = Instant::now();
            still_works(&serving).await;
            assert!(one.elapsed() < Duration::from_secs(5), "others are held up");
        }
    };
    let all = async { tokio::join!(futures::future::join_all(dripping), others) };
    timeout(DEADLINE, all).await.expect("none is put up with for long");
    assert!(begun.elapsed() >= Duration::from_secs(5), "a slow client has some time");
    still_works(&serving).await;
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_is_given_up() {
    let program = Program::at(None);
    let serving = Serving::start(&program, &[]);
    let mut stream = connect(&serving).await;
    let head = "POST /api/verify HTTP/1.1\r\nHost: localhost\r\n\
        Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = [0; 12];
    let begun = Instant::now();
    while begun.elapsed() < DEADLINE {
        match timeout(Duration::from_millis(300), stream.read_exact(&mut answer)).await {
            Ok(read) => {
                read.expect("an answer");
                break;
            }
            // Another byte while nothing is said; the other side may have stopped listening.
            Err(_) => drop(stream.write_all(b" ").await),
        }
    }
    assert_eq!(&answer, b"HTTP/1.1 503");
    still_works(&serving).await;
}

#[tokio::test]
async fn thousands_of_idle_connections_keep_nobody_out() {
    let crowd = 2500;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("told");
    let room = soft.max((crowd + 1000).min(hard));
    setrlimit(Resource::RLIMIT_NOFILE, room, hard).expect("it may be raised up to the hard one");
    let crowd = usize::try_from(crowd.min(room / 2)).expect("a few");

    let program = Program::at(None);
    let serving = Serving::start(&program, &["--max-connections", "200"]);
    let mut events = connect(&serving).await;
    let follow = b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    events.write_all(follow).await.expect("sent");
    read_until(&mut events, "text/event-stream").await;

    let mut idle = Vec::new();
    for number in 0..crowd {
        idle.push(connect(&serving).await);
        if number % 500 == 0 {
            still_works(&serving).await;
        }
    }
    still_works(&serving).await;
    // Who was being answered has kept its place.
    ok(serving.post("/api/cleanup")).await;
    read_until(&mut events, "cleanup").await;
    let metrics = serving.get("/metrics").send().await.expect("it answers");
    let metrics = metrics.text().await.expect("a body");
    assert!(metrics.contains(r#"connections_total{outcome="accepted_for_an_idle_one"}"#));
    drop(idle);
    still_works(&serving).await;
}

async fn read_until(stream: &mut TcpStream, word: &str) {
    let mut heard = String::new();
    let mut part = [0; 4096];
    while !heard.contains(word) {
        let read = timeout(DEADLINE, stream.read(&mut part)).await;
        let read = read.unwrap_or_else(|_| panic!("no {word} in {heard}")).expect("it is open");
        assert!(read > 0, "it ended: {heard}");
        heard += &String::from_utf8_lossy(&part[..read]);
    }
}

#[tokio::test]
async fn when_every_connection_is_in_use_others_are_told_so() {
    let program = Program::at(None);
    let serving = Serving::start(&program, &["--max-connections", "16"]);
    let mut followers = Vec::new();
    for _ in 0..16 {
        let mut events = connect(&serving).await;
        let follow = b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
        events.write_all(follow).await.expect("sent");
        read_until(&mut events, "text/event-stream").await;
        followers.push(events);
    }
    let told = get(&serving, "/api/backups").await;
    assert_eq!(status(&told), Some(503), "{told}");
    assert!(told.contains("overloaded") && told.contains("retry-after"), "{told}");
    drop(followers);
    until("a free place", async || status(&get(&serving, "/api/backups").await) == Some(200)).await;
}
