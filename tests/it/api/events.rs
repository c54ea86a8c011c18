//! Server-sent events, over a real socket.

use serde_json::Value;

use crate::faults::running::{hold, until_it_waits_for_a_table};
use crate::support::app::{App, Listening};
use crate::support::sample_database;

/// The events of a stream, as far as it has come: number and job.
fn events(text: &str) -> Vec<(u64, Value)> {
    let blocks = text.split("\n\n").filter(|block| block.contains("data:"));
    let line = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} in {block}")).trim().to_owned()
    };
    blocks
        .map(|block| {
            assert_eq!(line(block, "event:"), "job");
            let id = line(block, "id:").parse().expect("a number");
            (id, serde_json::from_str(&line(block, "data:")).expect("a job"))
        })
        .collect()
}

#[tokio::test]
async fn the_events_of_a_job_end_with_the_job_and_go_on_after_the_last_one_seen() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let listening = Listening::to(&app).await;
    let held = hold(&database, "LOCK TABLE vrf IN ACCESS EXCLUSIVE MODE").await;
    let id = app.start("POST", "/api/backup").await;
    until_it_waits_for_a_table(&database).await;

    let path = format!("/api/jobs/{id}/events");
    let stream = listening.get(&path).send().await.expect("an answer");
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    drop(held);
    let told = events(&stream.text().await.expect("the stream ends with the job"));
    let (first, last) = (told.first().expect("the state now"), told.last().expect("the end"));
    assert_eq!((&first.1["job_id"], &first.1["state"]), (&id.as_str().into(), &"running".into()));
    assert_eq!(last.1["state"], "succeeded");
    assert!(told.is_sorted_by(|a, b| a.0 < b.0), "numbers grow");

    let seen = |number: u64| listening.get(&path).header("last-event-id", number).send();
    let again = seen(first.0).await.expect("an answer").text().await.expect("it ends");
    assert_eq!(events(&again), std::slice::from_ref(last), "what is new, as it is now");
    assert_eq!(seen(last.0).await.expect("an answer").status(), 204, "nothing will come any more");
}

#[tokio::test]
async fn the_events_of_all_jobs_begin_with_those_under_way_and_show_progress() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    app.backup().await;
    let listening = Listening::to(&app).await;
    let held = hold(&database, "LOCK TABLE vrf IN ACCESS EXCLUSIVE MODE").await;
    let id = app.start("POST", "/api/backup").await;
    until_it_waits_for_a_table(&database).await;
    let mut stream = listening.get("/api/events").send().await.expect("an answer");
    let mut told = String::new();
    let mut next = async |told: &mut String| {
        let bytes = stream.chunk().await.expect("it goes on").expect("it goes on");
        told.push_str(&String::from_utf8_lossy(&bytes));
    };
    while events(&told).is_empty() {
        next(&mut told).await;
    }
    let first = &events(&told)[0].1;
    assert_eq!(first["job_id"], id.as_str(), "not the one that is over");
    assert!(first["result"].is_null());
    drop(held);
    while events(&told).last().is_some_and(|(_, job)| job["state"] != "succeeded") {
        next(&mut told).await;
    }
    app.service.shut_down(std::time::Duration::from_mins(1)).await;
    while let Some(bytes) = stream.chunk().await.expect("it ends in order") {
        told.push_str(&String::from_utf8_lossy(&bytes));
    }
    assert!(events(&told).iter().all(|(_, job)| job["job_id"] == id.as_str()));
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_end_its_job() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let listening = Listening::to(&app).await;
    let held = hold(&database, "LOCK TABLE vrf IN ACCESS EXCLUSIVE MODE").await;
    let call = tokio::spawn(listening.post("/api/backup").send());
    until_it_waits_for_a_table(&database).await;
    call.abort();
    assert!(call.await.is_err_and(|error| error.is_cancelled()), "the client is gone");
    drop(held);
    let jobs = app.get("/api/jobs").await.ok();
    app.until(jobs["jobs"][0]["job_id"].as_str().expect("an id"), "succeeded").await;
    assert_eq!(app.get("/api/backups").await.ok()["count"], 1);
}

#[tokio::test]
async fn a_last_event_that_is_no_number_is_refused() {
    let app = App::with(None, ipam_rewind::api::Settings::default()).await;
    let mut request = crate::support::app::request("GET", "/api/events");
    request.headers_mut().insert("last-event-id", "nonsense".parse().expect("a header"));
    app.call(request).await.problem(400, "malformed_request");
}
