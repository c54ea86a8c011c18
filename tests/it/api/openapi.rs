//! The document: as the code is, complete, and browsable without any other host.

use std::collections::BTreeSet;

use ipam_rewind::api::{Settings, document, document_text};
use serde_json::Value;

use super::page::is_built;
use crate::support::app::App;

#[test]
fn the_document_in_the_repository_is_that_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let kept = std::fs::read_to_string(path).expect("docs/openapi.json");
    let anew = "cargo run -- serve --print-openapi > docs/openapi.json";
    assert!(kept == document_text(), "docs/openapi.json is out of date: {anew}");
}

fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let paths = document["paths"].as_object().expect("paths").iter();
    paths.flat_map(|(path, item)| {
        let operations = item.as_object().expect("operations").iter();
        operations.map(move |(method, operation)| (format!("{method} {path}"), operation))
    })
}

#[test]
fn every_call_has_a_name_of_its_own_and_says_how_it_fails() {
    let document = serde_json::to_value(document()).expect("plain data");
    assert_eq!(document["openapi"], "3.1.0");
    let mut names = BTreeSet::new();
    for (call, operation) in operations(&document) {
        let name = operation["operationId"].as_str().expect("a name");
        assert!(names.insert(name.to_owned()), "{name} twice");
        assert!(operation["summary"].is_string(), "{call}");
        let responses = operation["responses"].as_object().expect("responses");
        for (status, response) in responses.iter().filter(|(status, _)| status.as_str() >= "400") {
            let health = call.ends_with("/api/ready") || call.ends_with("/api/health");
            let problem = &response["content"]["application/problem+json"]["schema"]["$ref"];
            let described = problem == "#/components/schemas/Problem";
            assert!(described || health, "{call} {status}: {response}");
        }
        assert!(responses.contains_key("500") && responses.contains_key("503"), "{call}");
    }
    assert!(names.len() > 25, "{names:?}");
}

#[test]
fn every_schema_that_is_referred_to_is_there() {
    let text = document_text();
    let document: Value = serde_json::from_str(&text).expect("JSON");
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().expect("a name");
        assert!(document["components"]["schemas"].get(name).is_some(), "{name} is missing");
    }
}

#[tokio::test]
async fn the_document_is_served_and_browsable_without_any_other_host() {
    let app = App::with(None, Settings::default()).await;
    let served = app.get("/api/openapi.json").await.ok();
    assert_eq!(served, serde_json::from_str::<Value>(&document_text()).expect("JSON"));
    assert_eq!(app.get("/docs").await.header("location"), "docs/");
    let page = app.get("/docs/").await;
    let text = String::from_utf8(page.bytes).expect("text");
    if !is_built() {
        assert!(text.contains("npm"), "{text}");
        return;
    }
    let sources = ["src=\"", "href=\""].map(|name| text.split(name).skip(1).collect::<Vec<_>>());
    let mut seen = 0;
    for source in sources.concat() {
        let source = source.split('"').next().expect("a source");
        let Some(path) = source.strip_prefix("..").filter(|path| path.starts_with('/')) else {
            panic!("{source} is elsewhere");
        };
        assert_eq!(app.get(path).await.status, 200, "{source}");
        seen += 1;
    }
    assert!(seen >= 3, "scripts and styles: {text}");
    // The policy lets no script stand in the page itself.
    assert!(!text.contains("<script>"), "{text}");
}
