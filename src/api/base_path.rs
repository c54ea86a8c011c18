//! The path below which a proxy shows the service. Requests may come with it, where the proxy passes paths
//! on as they are, or without it, where the proxy takes it off.

use std::fmt;
use std::str::FromStr;

use axum::Router;
use axum::extract::Request;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use tower::ServiceExt;

/// A path as `/rewind`, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BasePath(String);

/// The text is no path to be served below.
#[derive(Debug, thiserror::Error)]
#[error("invalid base path {0:?}; one looks like /rewind")]
pub struct MalformedBasePath(String);

impl FromStr for BasePath {
    type Err = MalformedBasePath;

    fn from_str(text: &str) -> Result<Self, MalformedBasePath> {
        let path = text.strip_suffix('/').unwrap_or(text);
        let letter = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
        let segment = |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(letter);
        let fit = path.is_empty()
            || path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(segment));
        if fit { Ok(Self(path.to_owned())) } else { Err(MalformedBasePath(text.to_owned())) }
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl BasePath {
    /// The same router below this path, and still at the root.
    pub fn serve(self, router: Router) -> Router {
        if self.0.is_empty() {
            return router;
        }
        Router::new().fallback(async move |request: Request| self.answer(router, request).await)
    }

    async fn answer(&self, router: Router, mut request: Request) -> Response {
        if request.uri().path() == self.0 {
            // The page's addresses are relative to this folder.
            return Redirect::permanent(&format!("{}/", self.0)).into_response();
        }
        if let Some(uri) = self.without(request.uri()) {
            *request.uri_mut() = uri;
        }
        let answered = router.oneshot(request).await;
        let mut response = answered.unwrap_or_else(|never| match never {});
        let place = response.headers().get(header::LOCATION).and_then(|place| place.to_str().ok());
        if let Some(place) = place.filter(|place| place.starts_with('/')) {
            let place = HeaderValue::from_str(&format!("{}{place}", self.0)).expect("plain text");
            response.headers_mut().insert(header::LOCATION, place);
        }
        response
    }

    /// The address without this path; none if it does not begin with it.
    fn without(&self, uri: &Uri) -> Option<Uri> {
        let rest = uri.path_and_query()?.as_str().strip_prefix(&self.0)?;
        let rest = rest.starts_with('/').then(|| PathAndQuery::from_str(rest))?.ok()?;
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(rest);
        Uri::from_parts(parts).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> Result<BasePath, MalformedBasePath> {
        text.parse()
    }

    #[test]
    fn a_base_path_is_absolute_and_plain() {
        assert_eq!(base("/rewind/").expect("a path"), base("/rewind").expect("a path"));
        assert_eq!(base("/").expect("the root"), BasePath::default());
        assert!(base("/tools/rewind-2").is_ok());
        for wrong in ["rewind", "//evil.example", "/a//b", "/..", "/a b", "/a?b", "/%2f", "/\"><"] {
            assert!(base(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_whole_segments_are_taken_off() {
        let base = base("/rewind").expect("a path");
        let without = |uri: &str| base.without(&uri.parse().expect("an address"));
        let uri = |text: &str| Some(text.parse::<Uri>().expect("an address"));
        assert_eq!(without("/rewind/"), uri("/"));
        assert_eq!(
            without("/rewind/api/history/t/a%2Fb?x=/rewind"),
            uri("/api/history/t/a%2Fb?x=/rewind")
        );
        assert_eq!(without("/rewinder/api"), None);
        assert_eq!(without("/api/backups"), None);
    }
}
