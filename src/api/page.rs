//! The web page, embedded: whatever is no call of the API.

use std::borrow::Cow;
use std::io::Read;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::error::ApiError;

/// The built page; may be missing.
#[derive(RustEmbed)]
#[folder = "frontend/dist"]
#[allow_missing = true]
struct Page;

const INDEX: &str = "index.html";

/// What the build leaves for the way to the root.
const ROOT: &str = "<base href=\"/\" />";

const NO_PAGE: &str = "\
This build of ipam-rewind has no web page. To get it, build the page, then the program:

    npm --prefix frontend ci && npm --prefix frontend run build
    cargo build --release

The API is there: /api/openapi.json describes it.
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
    if !path.ends_with(INDEX) {
        if let Some(file) = Page::get(path) {
            return answer(path, Coding::Identity { depth: 0 }, file, &headers);
        }
        if let Some(file) = Page::get(&format!("{path}.gz")) {
            return answer(path, Coding::Gzip, file, &headers);
        }
    }
    if is_asset(path) {
        return ApiError::NoSuchCall.into_response();
    }
    document(INDEX, uri.path(), &headers)
}

/// Returns an HTML file of the page for this address, or says how to build it.
pub fn document(path: &str, address: &str, headers: &HeaderMap) -> Response {
    let Some(mut file) = Page::get(path) else {
        return (StatusCode::OK, NO_PAGE).into_response();
    };
    // The way from this address to the root, whatever path a proxy shows the root at.
    let depth = address.matches('/').count().saturating_sub(1);
    let root = if depth == 0 { "./".to_owned() } else { "../".repeat(depth) };
    if let Ok(text) = std::str::from_utf8(&file.data) {
        let text = text.replace(ROOT, &format!("<base href=\"{root}\" />"));
        file.data = Cow::Owned(text.into_bytes());
    }
    answer(path, Coding::Identity { depth }, file, headers)
}

/// How a file is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity {
        /// Folders between the address and the root, if the content depends on that.
        depth: usize,
    },
    /// By `frontend/compress.ts`.
    Gzip,
}

/// Whether a path looks like a file: what a page that is newer or older than this build asks for.
fn is_asset(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.contains('.')) && path != INDEX
}

/// Answers with a file. A client that does not accept gzip receives a compressed file decoded.
fn answer(path: &str, coding: Coding, file: EmbeddedFile, parameters: &HeaderMap) -> Response {
    let gzip = coding == Coding::Gzip && takes_gzip(parameters);
    // The bytes of another coding are another representation.
    let suffix = match coding {
        Coding::Gzip if gzip => "-gzip".to_owned(),
        Coding::Identity { depth } if depth > 0 => format!("-{depth}"),
        _ => String::new(),
    };
    let tag = format!("\"{}{suffix}\"", hex::encode(file.metadata.sha256_hash()));
    let tag = HeaderValue::from_str(&tag).expect("hexadecimal digits");
    // Names below assets/ hold a hash of the content; any other file is asked for anew each time.
    let keep = if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = parameters.get(header::IF_NONE_MATCH) == Some(&tag);
    let mut headers = HeaderMap::from_iter([
        (header::ETAG, tag),
        (header::CACHE_CONTROL, HeaderValue::from_static(keep)),
        (header::CONTENT_TYPE, kind(path)),
    ]);
    if gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    if known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    if coding == Coding::Gzip && !gzip {
        let mut plain = Vec::new();
        GzDecoder::new(&*file.data).read_to_end(&mut plain).expect("what the build compressed");
        return (headers, plain).into_response();
    }
    let body = match file.data {
        Cow::Borrowed(bytes) => Body::from(bytes),
        Cow::Owned(bytes) => Body::from(bytes),
    };
    (headers, body).into_response()
}

/// Whether `Accept-Encoding` allows gzip.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|it| it.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|it| it.trim().parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_some_and(|it| it > 0.0)
    })
}

fn kind(path: &str) -> HeaderValue {
    let guess = mime_guess::from_path(path).first_or_octet_stream();
    let mime = guess.as_ref();
    let text = mime.starts_with("text/") && !mime.contains("charset");
    let mime = if text { format!("{mime}; charset=utf-8") } else { mime.to_owned() };
    HeaderValue::from_str(&mime).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}
