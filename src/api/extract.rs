//! What comes with a request, parsed at the edge: whatever cannot be understood is answered as a
//! problem, before any handler runs.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ObjectBuilder, Type};

use super::error::ApiError;
use crate::model::is_hidden;

/// What a JSON body may take.
pub const LARGEST_BODY: usize = 64 * 1024;
/// How long a JSON body may take to come in, all of it.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// The query of the request. One that says anything unknown is refused: `?dryrun=true` must not
/// pass for a wish to delete.
#[derive(Debug)]
pub struct Query<T>(pub T);

/// The query of a documented call, where anything unknown is ignored, but not what looks like a
/// known parameter spelled in another way.
#[derive(Debug)]
pub struct Lenient<T>(pub T);

/// The variable parts of the path.
#[derive(Debug)]
pub struct Path<T>(pub T);

/// The body of the request, as JSON.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// Whether the caller would rather not wait (RFC 7240): then a job is answered with 202.
#[derive(Debug, Clone, Copy)]
pub struct Prefer {
    /// `respond-async` was asked for.
    pub respond_async: bool,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        let axum::extract::Query(query) =
            query.map_err(|refused| ApiError::Malformed(told(&refused.body_text())))?;
        Ok(Self(query))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + IntoParams> FromRequestParts<S> for Lenient<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(given) = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await?;
        let known: Vec<_> = T::into_params(|| None).into_iter().map(|one| one.name).collect();
        let letters = |name: &str| name.to_lowercase().replace(['_', '-'], "");
        for (name, _) in given.iter().filter(|(name, _)| !known.contains(name)) {
            if let Some(meant) = known.iter().find(|known| letters(known) == letters(name)) {
                let words = format!("there is no parameter {name:?}; it is called {meant}");
                return Err(ApiError::Malformed(words));
            }
        }
        let Query(query) = Query::from_request_parts(parts, state).await?;
        Ok(Self(query))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        let axum::extract::Path(path) =
            path.map_err(|refused| ApiError::Malformed(told(&refused.body_text())))?;
        Ok(Self(path))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let announced = request.headers().get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
        if announced.is_some_and(|bytes: u64| bytes > LARGEST_BODY as u64) {
            return Err(ApiError::TooLarge(format!("a body has at most {LARGEST_BODY} bytes")));
        }
        let whole = timeout(BODY_PATIENCE, Json::from_request(request, state)).await;
        let Json(body) = whole.map_err(|_| ApiError::TimedOut(BODY_PATIENCE.as_secs()))??;
        Ok(Self(body))
    }
}

impl From<JsonRejection> for ApiError {
    fn from(refused: JsonRejection) -> Self {
        let words = told(&refused.body_text());
        match refused.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge(words),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType(words),
            _ => Self::Malformed(words),
        }
    }
}

/// What is wrong with a request, without the words of the parser around it: the parameter or the member of
/// the body, and why.
fn told(words: &str) -> String {
    const ABOUT: [(&str, &str); 4] = [
        ("Failed to deserialize query string: ", "the query: "),
        ("Failed to deserialize the JSON body into the target type: ", "the body: "),
        ("Failed to parse the request body as JSON: ", "the body is not JSON: "),
        ("Invalid URL: ", "the path: "),
    ];
    let known = ABOUT.iter().find_map(|(begin, about)| Some((about, words.strip_prefix(begin)?)));
    known.map_or_else(|| words.to_owned(), |(about, rest)| format!("{about}{rest}"))
}

impl<S: Send + Sync> FromRequestParts<S> for Prefer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let wishes = parts.headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        let wishes = wishes.flat_map(|value| value.split(','));
        let mut names = wishes.map(|wish| wish.split(';').next().unwrap_or_default().trim());
        let respond_async = names.any(|name| name.eq_ignore_ascii_case("respond-async"));
        Ok(Self { respond_async })
    }
}

impl IntoParams for Prefer {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let values = ObjectBuilder::new().schema_type(Type::String);
        let parameter = ParameterBuilder::new()
            .name("Prefer")
            .parameter_in(ParameterIn::Header)
            .description(Some("`respond-async` answers at once with 202 and the job (RFC 7240)"))
            .schema(Some(values.examples(["respond-async"])));
        vec![parameter.build()]
    }
}

/// Words of a caller: without control and invisible characters, and not longer than so many characters.
///
/// # Errors
/// [`ApiError::Malformed`] otherwise.
pub fn words(
    name: &str,
    words: Option<String>,
    longest: usize,
) -> Result<Option<String>, ApiError> {
    let Some(words) = words else { return Ok(None) };
    if words.chars().any(is_hidden) {
        let hidden = format!("{name} holds control characters or invisible ones");
        return Err(ApiError::Malformed(hidden));
    }
    if words.chars().count() > longest {
        let longer = format!("{name} is longer than {longest} characters");
        return Err(ApiError::Malformed(longer));
    }
    Ok(Some(words))
}

/// A number that is not larger than this.
///
/// # Errors
/// [`ApiError::Malformed`] otherwise.
pub fn at_most(
    name: &str,
    number: Option<usize>,
    largest: usize,
) -> Result<Option<usize>, ApiError> {
    if number.is_some_and(|number| number > largest) {
        return Err(ApiError::Malformed(format!("{name} is at most {largest}")));
    }
    Ok(number)
}
