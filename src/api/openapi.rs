//! The OpenAPI document, generated from the handlers. `docs/openapi.json` is its text; a test holds
//! the two together, and `ipam-rewind serve --print-openapi` writes it anew.

use std::time::Duration;

use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{AnyOfBuilder, SchemaType};
use utoipa::openapi::{OpenApi, RefOr};
use utoipa::openapi::{Schema, Type};

use super::calls::calls;
use super::responses::problems;

/// The whole document.
#[must_use]
pub fn document() -> OpenApi {
    let mut document = calls(Duration::MAX).into_openapi();
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
