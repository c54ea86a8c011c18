//! What calls may answer beside their success, for their descriptions.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

const PROBLEM: &str = "application/problem+json";

/// Problem documents with these status codes.
pub fn problems(of: &[(u16, &str)]) -> BTreeMap<String, RefOr<Response>> {
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
            (
                409,
                "Another run is in the way, live has changed since the preview, or this one was cancelled",
            ),
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

/// What a call about a comparison may answer, too.
pub struct OfComparison;

impl IntoResponses for OfComparison {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            (404, "The comparison is not kept, or not any more"),
            (422, "A backup is damaged; `problems` says how"),
        ])
    }
}

/// What ending a job may answer, too.
pub struct NotNow;

impl IntoResponses for NotNow {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[(409, "It is over, or past the point of no return")])
    }
}
