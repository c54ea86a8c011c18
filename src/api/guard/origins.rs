//! From which pages a browser may use the API: those of the service itself, and those that were named.

use axum::http::uri::Authority;
use axum::http::{HeaderValue, Method, Request, Uri, header};

/// The pages of others that may use the API.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    allowed: Vec<String>,
}

/// The text is no origin.
#[derive(Debug, thiserror::Error)]
#[error("invalid origin {0:?}; one looks like https://noc.example or http://localhost:3000")]
pub struct MalformedOrigin(String);

impl Origins {
    /// These pages and the service's own.
    ///
    /// # Errors
    /// If one is no origin: a scheme, a host, perhaps a port, and nothing else.
    pub fn new(allowed: &[String]) -> Result<Self, MalformedOrigin> {
        let checked = |text: &String| {
            let malformed = || MalformedOrigin(text.chars().take(80).collect());
            let (scheme, rest) = text.split_once("://").ok_or_else(malformed)?;
            let fit = matches!(scheme, "http" | "https")
                && !rest.contains(['/', '@', '*', '?', '#'])
                && rest.parse::<Authority>().is_ok();
            if fit { Ok(text.to_ascii_lowercase()) } else { Err(malformed()) }
        };
        Ok(Self { allowed: allowed.iter().map(checked).collect::<Result<_, _>>()? })
    }

    /// The pages of others.
    #[must_use]
    pub fn foreign(&self) -> &[String] {
        &self.allowed
    }

    /// Whether a request may do what it wants to, coming from where it says. Programs that are no
    /// browsers say nothing, and no page can make a browser keep silent. What only reads counts as well: it
    /// may read the whole database. But anybody may show the page, and follow a link.
    #[must_use]
    pub fn allow<B>(&self, request: &Request<B>) -> bool {
        let headers = request.headers();
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let link = headers.get("sec-fetch-dest").is_some_and(|what| what == "document");
        let harmless = reads && (link || !request.uri().path().starts_with("/api/"));
        if harmless || request.method() == Method::OPTIONS {
            return true;
        }
        let Some(origin) = headers.get(header::ORIGIN) else {
            let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
            return !matches!(site, Some(b"cross-site" | b"same-site"));
        };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let (Ok(origin), Some(host)) = (origin.to_str(), host) else {
            return false;
        };
        self.allowed.contains(&origin.to_ascii_lowercase()) || is_own(origin, host)
    }
}

/// Whether this is the origin of a page that came from this host. A proxy in front may have changed
/// the scheme, so that is not compared.
fn is_own(origin: &str, host: &str) -> bool {
    let parse = |text: &str| text.parse::<Uri>().ok().and_then(|uri| uri.authority().cloned());
    let (Some(origin), Ok(host)) = (parse(origin), host.parse::<Authority>()) else {
        return false;
    };
    let port =
        |authority: &Authority| authority.port_u16().filter(|port| ![80, 443].contains(port));
    origin.host().eq_ignore_ascii_case(host.host()) && port(&origin) == port(&host)
}

#[cfg(test)]
mod tests {
    use axum::http::request::Builder;

    use super::*;

    fn allowed(origins: &Origins, headers: &[(&str, &str)]) -> bool {
        asks(origins, "POST", "/api/backup", headers)
    }

    fn asks(origins: &Origins, method: &str, path: &str, headers: &[(&str, &str)]) -> bool {
        let request = Request::builder().method(method).uri(path);
        let with = |request: Builder, (name, value): &(&str, &str)| request.header(*name, *value);
        origins.allow(&headers.iter().fold(request, with).body(()).expect("a request"))
    }

    #[test]
    fn what_reads_is_for_no_other_page_either_but_for_a_link() {
        let origins = Origins::new(&["https://noc.example".to_owned()]).expect("an origin");
        let (host, site) = (("host", "localhost"), ("sec-fetch-site", "cross-site"));
        let live = |more| asks(&origins, "GET", "/api/diff/live/live", &[host, site, more]);
        assert!(!live(("sec-fetch-dest", "image")) && !live(("sec-fetch-dest", "iframe")));
        assert!(!live(("origin", "https://evil.example")));
        assert!(live(("origin", "https://noc.example")) && live(("sec-fetch-dest", "document")));
        assert!(asks(&origins, "GET", "/restore", &[host, site]));
        assert!(asks(&origins, "GET", "/api/health", &[host]));
    }

    #[test]
    fn pages_of_the_service_itself_and_those_named_may_write() {
        let origins = Origins::new(&["https://noc.example".to_owned()]).expect("an origin");
        let from =
            |origin| allowed(&origins, &[("host", "backup.example:8000"), ("origin", origin)]);
        assert!(from("http://backup.example:8000") && from("https://NOC.example"));
        for other in
            ["http://evil.example", "http://backup.example", "http://noc.example", "null", ""]
        {
            assert!(!from(other), "{other:?}");
        }
    }

    #[test]
    fn behind_a_proxy_that_ends_tls_the_scheme_and_its_port_do_not_count() {
        let origins = Origins::default();
        let host = ("host", "backup.example");
        assert!(allowed(&origins, &[host, ("origin", "https://backup.example")]));
        assert!(allowed(&origins, &[host, ("origin", "https://backup.example:443")]));
    }

    #[test]
    fn programs_say_nothing_and_browsers_cannot_keep_silent() {
        let origins = Origins::default();
        assert!(allowed(&origins, &[("host", "localhost")]));
        assert!(allowed(&origins, &[("host", "localhost"), ("sec-fetch-site", "same-origin")]));
        assert!(!allowed(&origins, &[("host", "localhost"), ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for wrong in ["*", "noc.example", "https://noc.example/", "https://*.example", "null", ""] {
            assert!(Origins::new(&[wrong.to_owned()]).is_err(), "{wrong:?}");
        }
    }
}
