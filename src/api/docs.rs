//! `/docs`: the OpenAPI document as a page to browse and try, from the binary alone.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Swagger UI sets styles and draws images by script; it still loads nothing from elsewhere.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// The pages below `/docs`.
pub fn router() -> Router {
    let config = Config::from("/api/openapi.json").validator_url("none").try_it_out_enabled(true);
    Router::from(SwaggerUi::new("/docs").config(config)).layer(from_fn(with_policy))
}

async fn with_policy(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let policy = HeaderValue::from_static(POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}
