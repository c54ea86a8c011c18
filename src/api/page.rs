//! The web page, embedded: whatever is no call of the API.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::error::ApiError;

/// The built page; may be missing.
#[derive(RustEmbed)]
#[folder = "frontend/dist"]
#[allow_missing = true]
struct Page;

const INDEX: &str = "index.html";

const NO_PAGE: &str = "\
This build of ipam-rewind has no web page. To get it, build the page, then the program:

    npm --prefix frontend ci && npm --prefix frontend run build
    cargo build --release

The API is there: /docs shows it.
";

/// Serves a file of the page. A path that is no file is a place within the page, which finds its
/// way by itself.
pub async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path == "api" || path.starts_with("api/") {
        return ApiError::NoSuchCall.into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        let allow = (header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return ([allow], ApiError::MethodNotAllowed).into_response();
    }
    match Page::get(path) {
        Some(file) if path != INDEX => answer(path, file, &headers),
        _ if is_asset(path) => ApiError::NoSuchCall.into_response(),
        _ => match Page::get(INDEX) {
            Some(file) => answer(INDEX, file, &headers),
            None => (StatusCode::OK, NO_PAGE).into_response(),
        },
    }
}

/// Whether a path looks like a file: what a page that is newer or older than this build asks for.
fn is_asset(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.contains('.')) && path != INDEX
}

fn answer(path: &str, file: EmbeddedFile, parameters: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", hex::encode(file.metadata.sha256_hash()));
    let tag = HeaderValue::from_str(&tag).expect("hexadecimal digits");
    // Names below assets/ hold a hash of the content; any other file is asked for anew each time.
    let keep = if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = parameters.get(header::IF_NONE_MATCH) == Some(&tag);
    let headers = [
        (header::ETAG, tag),
        (header::CACHE_CONTROL, HeaderValue::from_static(keep)),
        (header::CONTENT_TYPE, kind(file.metadata.mimetype())),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let body = match file.data {
        Cow::Borrowed(bytes) => Body::from(bytes),
        Cow::Owned(bytes) => Body::from(bytes),
    };
    (headers, body).into_response()
}

fn kind(mime: &str) -> HeaderValue {
    let text = mime.starts_with("text/") && !mime.contains("charset");
    let mime = if text { format!("{mime}; charset=utf-8") } else { mime.to_owned() };
    HeaderValue::from_str(&mime).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}
