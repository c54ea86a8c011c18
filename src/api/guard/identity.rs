//! Who calls: told by the bearer token, once for each request.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::service::Service;
use crate::service::access::{Identity, NotLetIn};

/// No token is longer.
const LONGEST_TOKEN: usize = 128;

/// What is known of a caller; goes along with the request.
#[derive(Debug, Clone)]
pub struct Known(pub Result<Identity, NotLetIn>);

/// Finds out who calls. Whether that is enough is for the handler to say.
pub async fn identify(
    State(service): State<Service>,
    mut request: Request,
    next: Next,
) -> Response {
    let known = service.gate().admit(bearer(request.headers()), service.now());
    request.extensions_mut().insert(Known(known));
    next.run(request).await
}

/// The token of `Authorization: Bearer …`. One that cannot be read is an empty one: a token, but
/// nobody's.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().unwrap_or_default();
    let (scheme, token) = value.split_once(' ').unwrap_or_default();
    let fit = scheme.eq_ignore_ascii_case("bearer") && token.len() <= LONGEST_TOKEN;
    Some(if fit { token.trim() } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_no_bearer_token_is_nobodys() {
        let token = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().expect("a header"));
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(token("Bearer ipr_1").as_deref(), Some("ipr_1"));
        assert_eq!(token("bearer  ipr_1").as_deref(), Some("ipr_1"));
        for other in ["Basic abc", "ipr_1", "Bearer", &format!("Bearer {}", "x".repeat(200)), "é"]
        {
            assert_eq!(token(other).as_deref(), Some(""), "{other:?}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
