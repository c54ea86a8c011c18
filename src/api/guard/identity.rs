//! Who calls: told by the token, once for each request.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::api::body::Problem;
use crate::api::error;
use crate::service::access::{Callers, Identity, NotLetIn};

/// Carries a token where `Authorization` belongs to a proxy, as with HTTP basic authentication.
pub const TOKEN: HeaderName = HeaderName::from_static("x-rewind-token");

/// No token is longer.
const LONGEST_TOKEN: usize = 128;

/// What is known of a caller; goes along with the request.
#[derive(Debug, Clone)]
pub struct Known(pub Result<Identity, NotLetIn>);

/// Finds out who calls. Whether that is enough is for the handler to say.
pub async fn identify(
    State(callers): State<Callers>,
    mut request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let by_authorization = !headers.contains_key(TOKEN) && !is_of_a_proxy(headers);
    let known = callers.admit(token(headers));
    request.extensions_mut().insert(Known(known));
    let response = next.run(request).await;
    if by_authorization { response } else { not_of_the_proxy(response) }
}

/// The same refusal without status 401, on which a browser forgets the password that it knows for the
/// proxy in front.
fn not_of_the_proxy(response: Response) -> Response {
    let problem = response.extensions().get::<Problem>();
    match problem.filter(|_| response.status() == StatusCode::UNAUTHORIZED) {
        Some(problem) => error::response(&Problem { status: 403, ..problem.clone() }),
        None => response,
    }
}

/// The token of `X-Rewind-Token: …`, else of `Authorization: Bearer …`. One that cannot be read is an
/// empty one: a token, but nobody's. Other schemes of `Authorization` are a proxy's.
fn token(headers: &HeaderMap) -> Option<&str> {
    if let Some(token) = headers.get(TOKEN) {
        let token = token.to_str().unwrap_or("?").trim();
        return (!token.is_empty()).then(|| bounded(token));
    }
    let value = headers.get(header::AUTHORIZATION).filter(|_| !is_of_a_proxy(headers))?;
    let (scheme, token) = value.to_str().unwrap_or_default().split_once(' ').unwrap_or_default();
    Some(if scheme.eq_ignore_ascii_case("bearer") { bounded(token.trim()) } else { "" })
}

fn bounded(token: &str) -> &str {
    if token.len() <= LONGEST_TOKEN { token } else { "" }
}

/// Whether `Authorization` speaks of another scheme than ours.
fn is_of_a_proxy(headers: &HeaderMap) -> bool {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let scheme = value.and_then(|value| value.split_once(' ')).map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        ["basic", "digest", "negotiate", "ntlm"].iter().any(|of| scheme.eq_ignore_ascii_case(of))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(headers: &[(HeaderName, &str)]) -> Option<String> {
        let pair =
            |(name, value): &(HeaderName, &str)| (name.clone(), value.parse().expect("a header"));
        token(&headers.iter().map(pair).collect()).map(str::to_owned)
    }

    #[test]
    fn whatever_is_no_bearer_token_is_nobodys() {
        let told = |value| told(&[(header::AUTHORIZATION, value)]);
        assert_eq!(told("Bearer ipr_1").as_deref(), Some("ipr_1"));
        assert_eq!(told("bearer  ipr_1").as_deref(), Some("ipr_1"));
        for other in ["Other abc", "ipr_1", "Bearer", &format!("Bearer {}", "x".repeat(200)), "é"]
        {
            assert_eq!(told(other).as_deref(), Some(""), "{other:?}");
        }
        assert_eq!(token(&HeaderMap::new()), None);
    }

    #[test]
    fn authorization_of_a_proxy_is_no_token_and_ours_comes_beside_it() {
        for scheme in ["Basic YTpi", "Digest username=\"a\"", "negotiate YTpi"] {
            let basic = (header::AUTHORIZATION, scheme);
            assert_eq!(told(std::slice::from_ref(&basic)), None, "{scheme}");
            assert_eq!(told(&[basic.clone(), (TOKEN, "")]), None, "{scheme}");
            assert_eq!(told(&[basic, (TOKEN, " ipr_1 ")]).as_deref(), Some("ipr_1"));
        }
        let both = [(header::AUTHORIZATION, "Bearer ipr_1"), (TOKEN, "ipr_2")];
        assert_eq!(told(&both).as_deref(), Some("ipr_2"));
        assert_eq!(told(&[(TOKEN, &"x".repeat(200))]).as_deref(), Some(""));
    }
}
