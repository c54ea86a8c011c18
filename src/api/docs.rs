//! `/docs`: the OpenAPI document as a page to browse and try, from the binary alone.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{Redirect, Response};
use axum::routing::get;

use super::page;

/// Swagger UI sets styles and draws images by script; it still loads nothing from elsewhere.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// The page at `/docs/`. Its scripts and styles are files of the web page.
pub fn router() -> Router {
    let page = async |headers: HeaderMap| page::document("docs/index.html", "/docs/", &headers);
    Router::new()
        // Relative, for a proxy may show it below another path.
        .route("/docs", get(async || Redirect::to("docs/")))
        .route("/docs/", get(page))
        .layer(from_fn(with_policy))
}

async fn with_policy(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let policy = HeaderValue::from_static(POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}
