//! What a service that does nothing asks of a bucket while others ask how it is.

use std::time::{Duration, Instant};

use crate::support::program::Program;
use crate::support::s3::{Kind, S3Server, environment};
use crate::support::s3_dialect::{Dialect, Says};
use crate::support::sample_database;
use crate::support::serving::Serving;

/// A number from the environment, for the figures of docs/performance.md.
fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Polled for longer than a minute, since after each minute it looks again.
#[tokio::test(flavor = "multi_thread")]
async fn idle_service_lists_the_bucket_once_a_minute_and_reads_and_writes_nothing() {
    let (seconds, backups) = (number("IDLE_SECONDS", 70), number("IDLE_BACKUPS", 4));
    let database = sample_database().await;
    let program = Program::on(&database);
    let server = S3Server::start_as(Kind::Moto).await;
    let bucket = Dialect::before(server.port(), |_| Says::Forward).await;
    let command = |arguments: &[&str]| {
        let mut command = program.command(arguments);
        command.env("BACKUP_STORE", "s3://bucket/store").envs(environment(bucket.port()));
        command.env("STATE_DIRECTORY", program.store().join("state"));
        command
    };
    for _ in 0..backups {
        bucket.take_seen();
        assert!(command(&["backup"]).output().expect("it runs").status.success());
    }
    println!("one backup: {:#?}", bucket.take_seen());
    let options = ["serve", "--listen", "127.0.0.1:0", "--keep-all"];
    let service = Serving::of(command(&options));
    assert_eq!(service.json("/api/health").await["status"], "ok");
    bucket.take_seen();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        for path in ["/api/health", "/api/ready", "/metrics"] {
            let request = service.get(path).header("Connection", "close");
            let answer = request.send().await.expect("it answers");
            assert!(answer.status().is_success(), "{path}: {}", answer.status());
        }
        tokio::time::sleep(Duration::from_secs(10).min(Duration::from_secs(seconds))).await;
    }
    let seen = bucket.take_seen();
    println!("{} requests in {seconds} s with {backups} backups: {seen:#?}", seen.len());
    let (listings, others): (Vec<_>, Vec<_>) =
        seen.iter().partition(|seen| seen.starts_with("GET ") && seen.contains("list-type="));
    let minutes = usize::try_from(seconds / 60 + 1).expect("a few");
    assert!(listings.len() <= minutes, "{listings:?}");
    let trials = others.iter().filter(|seen| seen.starts_with("PUT ") && seen.contains("/trial"));
    assert!(trials.count() <= minutes / 10 + 1, "{others:?}");
    assert!(others.iter().all(|seen| seen.contains("/trial")), "{others:?}");

    // What another host does is seen within the minute, and read once.
    assert!(command(&["backup"]).output().expect("it runs").status.success());
    let listed = service.json("/api/backups").await;
    assert_eq!(listed["count"], backups + 1);
    assert_eq!(service.stop().await, 0);
    bucket.take_seen();
    let keep = backups.to_string();
    assert!(command(&["cleanup", &keep]).output().expect("it runs").status.success());
    println!("one cleanup: {:#?}", bucket.take_seen());
}
