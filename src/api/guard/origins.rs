//! From which pages a browser may use the API: those of the service itself, and those that were named.

use axum::http::uri::Authority;
use axum::http::{HeaderValue, Method, Request, Uri, header};

/// The pages of others that may use the API.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    allowed: Vec<Allowed>,
}

/// A page of others that may use the API.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Allowed {
    /// The page of this origin.
    Origin { origin: String, host: String },
    /// The page on this port of whatever host the request names: `http://*:8080`.
    Port { scheme: &'static str, port: u16 },
}

/// The text is no origin.
#[derive(Debug, thiserror::Error)]
#[error(
    "invalid origin {0:?}; one looks like https://noc.example, http://localhost:3000, or http://*:8080 for \
     port 8080 of the host name that a request was sent to"
)]
pub struct MalformedOrigin(String);

/// A request came from a page of another origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForeignOrigin {
    /// `Origin` is neither the host of the request nor allowed.
    #[error(
        "the page has the origin {origin:?}, and the request the header Host {host:?}: these must name \
         the same host and port. If the page is the service's own, its proxy must pass on the Host with \
         the port (nginx: `proxy_set_header Host $http_host`); if it is another, start `serve` with \
         --cors-origin {origin}"
    )]
    Origin {
        /// The header `Origin`.
        origin: String,
        /// The header `Host`.
        host: String,
    },
    /// The browser says so, and names no origin.
    #[error(
        "the request comes from a page of another origin (Sec-Fetch-Site: {0}); start `serve` with \
         --cors-origin ORIGIN to allow it"
    )]
    Site(String),
}

impl Origins {
    /// These pages and the service's own.
    ///
    /// # Errors
    /// If one is no origin: a scheme, a host, perhaps a port, and nothing else.
    pub fn new(allowed: &[String]) -> Result<Self, MalformedOrigin> {
        let checked = |text: &String| {
            let malformed = || MalformedOrigin(text.chars().take(80).collect());
            Allowed::parse(&text.to_ascii_lowercase()).ok_or_else(malformed)
        };
        Ok(Self { allowed: allowed.iter().map(checked).collect::<Result<_, _>>()? })
    }

    /// Returns whether no page of others may use the API.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.allowed.is_empty()
    }

    /// The names of the hosts with these pages. Whoever trusts a page trusts its host's name, also where
    /// a request is sent to it.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.allowed.iter().filter_map(|allowed| match allowed {
            Allowed::Origin { host, .. } => Some(host.as_str()),
            Allowed::Port { .. } => None,
        })
    }

    /// Returns whether the page may come from any host.
    #[must_use]
    pub fn are_of_any_host(&self) -> bool {
        self.allowed.iter().any(|allowed| matches!(allowed, Allowed::Port { .. }))
    }

    /// Returns whether the page of this origin may use the API by a request that names this host.
    pub(super) fn allow(&self, origin: &str, host: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        self.allowed.iter().any(|allowed| match allowed {
            Allowed::Origin { origin: known, .. } => *known == origin,
            Allowed::Port { scheme, port } => is_on_port(&origin, host, scheme, *port),
        })
    }

    /// Checks that a request may do what it wants to, coming from where it says. Programs that are no
    /// browsers say nothing, and no page can make a browser keep silent. What only reads counts as well: it
    /// may read the whole database. But anybody may show the page, and follow a link.
    ///
    /// # Errors
    /// If it comes from a page of others.
    pub fn check<B>(&self, request: &Request<B>) -> Result<(), ForeignOrigin> {
        let headers = request.headers();
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let link = headers.get("sec-fetch-dest").is_some_and(|what| what == "document");
        let harmless = reads && (link || !request.uri().path().starts_with("/api/"));
        if harmless || request.method() == Method::OPTIONS {
            return Ok(());
        }
        let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
        // The browser has compared them itself; a proxy may have changed the host since.
        if site == Some("same-origin") {
            return Ok(());
        }
        let Some(origin) = headers.get(header::ORIGIN) else {
            return match site {
                Some(site @ ("cross-site" | "same-site")) => {
                    Err(ForeignOrigin::Site(site.to_owned()))
                }
                _ => Ok(()),
            };
        };
        let text = |value: &HeaderValue| {
            String::from_utf8_lossy(value.as_bytes()).chars().take(255).collect::<String>()
        };
        let host = headers.get(header::HOST).map(text).unwrap_or_default();
        let origin = text(origin);
        if self.allow(&origin, &host) || is_own(&origin, &host) {
            return Ok(());
        }
        Err(ForeignOrigin::Origin { origin, host })
    }
}

impl Allowed {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = ["http", "https"].into_iter().find(|known| *known == scheme)?;
        if let Some(port) = rest.strip_prefix("*:") {
            return Some(Self::Port { scheme, port: port.parse().ok()? });
        }
        let authority = rest.parse::<Authority>().ok()?;
        let fit = !rest.contains(['/', '@', '*', '?', '#']);
        let host = authority.host().to_owned();
        fit.then(|| Self::Origin { origin: text.to_owned(), host })
    }
}

/// Returns whether this is the origin of a page on that port of the host that a request names.
fn is_on_port(origin: &str, host: &str, scheme: &str, port: u16) -> bool {
    let (Ok(origin), Ok(host)) = (origin.parse::<Uri>(), host.parse::<Authority>()) else {
        return false;
    };
    let usual = if scheme == "https" { 443 } else { 80 };
    origin.scheme_str() == Some(scheme)
        && origin.port_u16().unwrap_or(usual) == port
        && origin.host().is_some_and(|name| name.eq_ignore_ascii_case(host.host()))
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
        origins.check(&headers.iter().fold(request, with).body(()).expect("a request")).is_ok()
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
    fn behind_a_proxy_that_drops_the_port_the_browser_decides_or_the_refusal_says_what_to_do() {
        let origins = Origins::default();
        let (host, origin) = (("host", "backup.example"), ("origin", "http://backup.example:8080"));
        assert!(allowed(&origins, &[host, origin, ("sec-fetch-site", "same-origin")]));
        assert!(!allowed(&origins, &[host, origin, ("sec-fetch-site", "same-site")]));
        let request = Request::post("/api/backup").header(host.0, host.1);
        let request = request.header(origin.0, origin.1).body(()).expect("a request");
        let words = origins.check(&request).expect_err("another port").to_string();
        for part in [
            "\"http://backup.example:8080\"",
            "Host \"backup.example\"",
            "proxy_set_header Host $http_host",
            "--cors-origin http://backup.example:8080",
        ] {
            assert!(words.contains(part), "{part} in {words}");
        }
    }

    #[test]
    fn a_page_on_a_named_port_of_the_same_host_may_write_by_whatever_name() {
        let origins = Origins::new(&["http://*:8080".to_owned()]).expect("an origin");
        for (host, origin, may) in [
            ("ipam.example:8000", "http://ipam.example:8080", true),
            ("192.0.2.7:8000", "http://192.0.2.7:8080", true),
            ("[2001:db8::1]:8000", "http://[2001:db8::1]:8080", true),
            ("IPAM.example", "http://ipam.EXAMPLE:8080", true),
            ("ipam.example:8000", "http://ipam.example:8081", false),
            ("ipam.example:8000", "https://ipam.example:8080", false),
            ("ipam.example:8000", "http://evil.example:8080", false),
            ("ipam.example:8000", "null", false),
        ] {
            let headers = [("host", host), ("origin", origin)];
            assert_eq!(allowed(&origins, &headers), may, "{origin} at {host}");
        }
    }

    #[test]
    fn what_a_proxy_forwards_is_not_believed() {
        let forwarded = [
            ("host", "backup.example"),
            ("origin", "http://evil.example"),
            ("x-forwarded-host", "evil.example"),
            ("forwarded", "host=evil.example"),
        ];
        assert!(!allowed(&Origins::default(), &forwarded));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for wrong in [
            "*",
            "noc.example",
            "https://noc.example/",
            "https://*.example",
            "null",
            "",
            "http://*",
            "http://*:",
            "http://*:0x",
            "ftp://*:80",
        ] {
            assert!(Origins::new(&[wrong.to_owned()]).is_err(), "{wrong:?}");
        }
    }
}
