//! The OpenAPI document, generated from the handlers. `docs/openapi.json` is its text; a test holds
//! the two together, and `ipam-rewind serve --print-openapi` writes it anew.

use std::collections::BTreeMap;
use std::time::Duration;

use utoipa::IntoResponses;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{AnyOfBuilder, SchemaType};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::openapi::{Schema, Type};

use super::body::{Accepted, Problem};
use super::router;

const PROBLEM: &str = "application/problem+json";

/// The frame that the calls are put into.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "ipam-rewind",
        description = "Snapshots of an IPAM database, row-level diffs, and a proven way back.\n\n\
            Success is a JSON object with `status`. Whatever fails is `application/problem+json` \
            with a stable `code`. Long work is a job: its call waits for the outcome, or answers \
            at once with 202 if the request says `Prefer: respond-async`.",
    ),
    components(schemas(Problem, Accepted)),
    tags(
        (name = "backups", description = "Make, list, look at, describe, delete"),
        (name = "restore", description = "Go back, after a look at what that would change"),
        (name = "compare", description = "Which rows differ, and what became of one"),
        (name = "upkeep", description = "Verify, clean up, measure"),
        (name = "jobs", description = "Long work: progress, outcome, cancelling"),
        (name = "service", description = "The service itself"),
    ),
)]
pub struct Frame;

/// The whole document.
#[must_use]
pub fn document() -> OpenApi {
    let mut document = router::calls(Duration::MAX).into_openapi();
    finish(&mut document);
    document
}

/// The text of `docs/openapi.json`.
#[must_use]
pub fn document_text() -> String {
    let text = document().to_pretty_json().expect("the document is plain data");
    text + "\n"
}

/// Adds what every call may answer, and what deriving cannot say.
fn finish(document: &mut OpenApi) {
    let components = document.components.as_mut().expect("there are schemas");
    for (name, schema) in &mut components.schemas {
        if let RefOr::T(schema) = schema {
            // In a request, what may be null may be left out as well; in an answer it never is.
            if name != "Annotation" {
                require_what_may_be_null(schema);
            }
            if name == "JobResult" {
                any_of(schema);
            }
        }
    }
    for (path, item) in &mut document.paths.paths {
        let operations = [&mut item.get, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().filter_map(Option::as_mut) {
            add_common(path, operation);
        }
    }
}

fn require_what_may_be_null(schema: &mut Schema) {
    match schema {
        Schema::Object(object) => {
            let null = object.properties.iter().filter(|(_, property)| may_be_null(property));
            object.required.extend(null.map(|(name, _)| name.clone()).collect::<Vec<_>>());
        }
        Schema::AllOf(all) => {
            for item in &mut all.items {
                if let RefOr::T(item) = item {
                    require_what_may_be_null(item);
                }
            }
        }
        _ => {}
    }
}

fn may_be_null(schema: &RefOr<Schema>) -> bool {
    match schema {
        RefOr::T(Schema::Object(object)) => match &object.schema_type {
            SchemaType::Type(one) => *one == Type::Null,
            SchemaType::Array(several) => several.contains(&Type::Null),
            SchemaType::AnyValue => false,
        },
        RefOr::T(Schema::OneOf(one)) => one.items.iter().any(may_be_null),
        _ => false,
    }
}

/// Bodies may have all keys of another body, and some more.
fn any_of(schema: &mut Schema) {
    if let Schema::OneOf(one) = schema {
        let items = std::mem::take(&mut one.items).into_iter();
        let any = items.fold(AnyOfBuilder::new(), AnyOfBuilder::item);
        *schema = any.description(one.description.clone()).build().into();
    }
}

fn add_common(path: &str, operation: &mut Operation) {
    let mut common = vec![
        (400, "The request is malformed"),
        (401, "A token is needed, and was not given or is not known"),
        (403, "The token may not do this"),
        (429, "The caller has too much of it under way, or there were too many unknown tokens"),
        (500, "It failed; the service's log says why"),
        (503, "The database or the service is out of reach, or too busy"),
    ];
    if operation.request_body.is_some() {
        common.push((413, "The body is too large"));
        common.push((415, "The body is of another kind"));
    }
    let open = ["/api/health", "/api/ready", "/api/openapi.json"].contains(&path);
    common.retain(|(status, _)| !open || ![401, 403, 429].contains(status));
    for (status, response) in problems(&common) {
        operation.responses.responses.entry(status).or_insert(response);
    }
}

fn problems(of: &[(u16, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let response = |(status, description): &(u16, &str)| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new().description(*description).content(PROBLEM, content);
        (status.to_string(), response.build().into())
    };
    of.iter().map(response).collect()
}

/// What a call about one backup may answer, too.
pub struct OfBackup;

impl IntoResponses for OfBackup {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            (404, "There is no such backup"),
            (422, "The backup is damaged, or its tables do not fit; `problems` says how"),
        ])
    }
}

/// What a call that is a job may answer, too.
pub struct OfJob;

impl IntoResponses for OfJob {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut responses = problems(&[
            (409, "Another run is in the way, or this one was cancelled"),
            (422, "A backup is damaged, or its tables do not fit; `problems` says how"),
            (429, "Enough jobs wait already"),
        ]);
        let accepted = ContentBuilder::new().schema(Some(Ref::from_schema_name("Accepted")));
        let response = ResponseBuilder::new()
            .description("Taken on; `Location` says where the job is (`Prefer: respond-async`)")
            .content("application/json", accepted.build());
        responses.insert("202".into(), response.build().into());
        responses
    }
}

/// What a call about one job may answer, too.
pub struct OfOneJob;

impl IntoResponses for OfOneJob {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[(404, "There is no such job, or it is forgotten")])
    }
}

/// What ending a job may answer, too.
pub struct NotNow;

impl IntoResponses for NotNow {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[(409, "It is over, or past the point of no return")])
    }
}
