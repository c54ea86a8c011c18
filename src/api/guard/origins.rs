//! From which pages a browser may send what changes something: those of the service itself, and
//! those that were named.

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};

/// The pages of others that may use the API.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    allowed: Vec<String>,
}

/// The text is no origin.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no origin; one looks like https://noc.example or http://localhost:3000")]
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
    /// browsers say nothing, and no page can make a browser keep silent about a request that
    /// changes something.
    #[must_use]
    pub fn allow(&self, method: &Method, headers: &HeaderMap) -> bool {
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
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
    use super::*;

    fn allowed(origins: &Origins, headers: &[(&str, &str)]) -> bool {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            let name: header::HeaderName = name.parse().expect("a name");
            all.insert(name, value.parse().expect("a value"));
        }
        origins.allow(&Method::POST, &all)
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
