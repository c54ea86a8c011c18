//! The names under which the service may be called. A page of somebody else's whose name was made
//! to point here (DNS rebinding) sends that name, and is turned away.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};

use super::Origins;

/// Names of this machine that no foreign name server can give away.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The names under which the service may be called.
#[derive(Debug, Clone)]
pub struct Hosts {
    names: BTreeSet<String>,
    /// It listens on all addresses of the machine: each of them is its own.
    any_address: bool,
    /// It answers to any name.
    any_name: bool,
}

/// A request was sent to a name that is not the service's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownHost {
    /// The header `Host` has this name.
    #[error(
        "the header Host names {0:?}, which is none of the service's names; if it is one, start \
         `serve` with --allowed-host {0} (or --allowed-host '*' for any name)"
    )]
    Name(String),
    /// There is no single name.
    #[error("the header Host holds no single host name; send `Host: NAME` or `Host: NAME:PORT`")]
    Malformed,
}

impl Hosts {
    /// The loopback names, the address listened on, and these; `*` is any name.
    #[must_use]
    pub fn new(listen: SocketAddr, allowed: &[String]) -> Self {
        let mut names: BTreeSet<_> = LOOPBACK.map(str::to_owned).into();
        names.insert(listen.ip().to_string());
        names.extend(allowed.iter().map(|name| bare(name)));
        let any_name = names.contains("*");
        Self { names, any_address: listen.ip().is_unspecified(), any_name }
    }

    /// The same names, and those of the hosts with these pages.
    #[must_use]
    pub fn with_pages(mut self, origins: &Origins) -> Self {
        self.names.extend(origins.hosts().map(bare));
        self.any_name |= origins.are_of_any_host();
        self
    }

    /// Checks that a request with this target and these headers is meant for the service. Browsers
    /// always name a host; a program that names none was not led here by a name.
    ///
    /// # Errors
    /// If it names another host, or more than one.
    pub fn check(&self, target: &Uri, headers: &HeaderMap) -> Result<(), UnknownHost> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (host, another) = (hosts.next(), hosts.next());
        if another.is_some() {
            return Err(UnknownHost::Malformed);
        }
        if let Some(host) = host {
            self.know(host.to_str().map_err(|_| UnknownHost::Malformed)?)?;
        }
        target.authority().map_or(Ok(()), |authority| self.know(authority.as_str()))
    }

    fn know(&self, host: &str) -> Result<(), UnknownHost> {
        let authority = host.parse::<Authority>().ok().filter(|_| !host.contains('@'));
        let name = bare(authority.ok_or(UnknownHost::Malformed)?.host());
        if self.any_name
            || self.names.contains(&name)
            || (self.any_address && name.parse::<IpAddr>().is_ok())
        {
            return Ok(());
        }
        Err(UnknownHost::Name(name.chars().take(255).collect()))
    }
}

/// A host's name in one spelling: lower case, without the brackets of an IPv6 address, without the
/// dot at the end.
fn bare(name: &str) -> String {
    let name = name.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(hosts: &Hosts, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().expect("a header"));
        hosts.check(&Uri::from_static("/api/backups"), &headers).is_ok()
    }

    fn on(listen: &str) -> Hosts {
        Hosts::new(listen.parse().expect("an address"), &["Backup.Example".to_owned()])
    }

    #[test]
    fn the_names_of_this_machine_and_those_allowed_are_known() {
        let hosts = on("192.0.2.7:8000");
        for name in ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000", "192.0.2.7:8000"] {
            assert!(allowed(&hosts, name), "{name}");
        }
        assert!(allowed(&hosts, "backup.example") && allowed(&hosts, "backup.example.:443"));
        for name in
            ["evil.example", "192.0.2.8", "localhost.evil.example", "a@localhost", "", "a b"]
        {
            assert!(!allowed(&hosts, name), "{name:?}");
        }
    }

    #[test]
    fn on_all_addresses_each_address_is_its_own_but_names_are_not() {
        let hosts = on("0.0.0.0:8000");
        assert!(allowed(&hosts, "192.0.2.8:8000") && allowed(&hosts, "[2001:db8::1]:8000"));
        assert!(!allowed(&hosts, "evil.example"));
    }

    #[test]
    fn the_hosts_of_pages_that_may_use_the_api_are_known_and_any_name_is_if_told_so() {
        let pages = |of: &str| {
            let origins = Origins::new(&[of.to_owned()]).expect("an origin");
            on("127.0.0.1:8000").with_pages(&origins)
        };
        let named = pages("http://ipam.example:8080");
        assert!(allowed(&named, "ipam.example:8000") && !allowed(&named, "evil.example"));
        assert!(allowed(&pages("http://*:8080"), "any.example:8000"));
        let any = Hosts::new(([127, 0, 0, 1], 8000).into(), &["*".to_owned()]);
        assert!(allowed(&any, "any.example") && !allowed(&any, "a@any.example"));
    }

    #[test]
    fn the_refusal_names_the_host_and_the_option() {
        let headers =
            HeaderMap::from_iter([(header::HOST, "New.Example:81".parse().expect("text"))]);
        let refused = on("127.0.0.1:8000").check(&Uri::from_static("/"), &headers);
        let words = refused.expect_err("not known").to_string();
        assert!(words.contains("\"new.example\"") && words.contains("--allowed-host new.example"));
    }

    #[test]
    fn a_request_names_no_two_hosts() {
        let hosts = on("127.0.0.1:8000");
        let mut headers = HeaderMap::new();
        assert!(hosts.check(&Uri::from_static("/"), &headers).is_ok());
        headers.append(header::HOST, "localhost".parse().expect("a header"));
        assert!(hosts.check(&Uri::from_static("/"), &headers).is_ok());
        assert!(hosts.check(&Uri::from_static("http://evil.example/"), &headers).is_err());
        headers.append(header::HOST, "localhost".parse().expect("a header"));
        assert_eq!(hosts.check(&Uri::from_static("/"), &headers), Err(UnknownHost::Malformed));
    }
}
