//! The names under which the service may be called. A page of somebody else's whose name was made
//! to point here (DNS rebinding) sends that name, and is turned away.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};

/// Names of this machine that no foreign name server can give away.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The names under which the service may be called.
#[derive(Debug, Clone)]
pub struct Hosts {
    names: BTreeSet<String>,
    /// It listens on all addresses of the machine: each of them is its own.
    any_address: bool,
}

impl Hosts {
    /// The loopback names, the address listened on, and these.
    #[must_use]
    pub fn new(listen: SocketAddr, allowed: &[String]) -> Self {
        let mut names: BTreeSet<_> = LOOPBACK.map(str::to_owned).into();
        names.insert(listen.ip().to_string());
        names.extend(allowed.iter().map(|name| bare(name)));
        Self { names, any_address: listen.ip().is_unspecified() }
    }

    /// Whether a request with this target and these headers is meant for the service. Browsers
    /// always name a host; a program that names none was not led here by a name.
    #[must_use]
    pub fn allow(&self, target: &Uri, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (host, another) = (hosts.next(), hosts.next());
        let known = host.is_none_or(|host| host.to_str().is_ok_and(|host| self.knows(host)));
        let named = target.authority().is_none_or(|authority| self.knows(authority.as_str()));
        known && named && another.is_none()
    }

    fn knows(&self, host: &str) -> bool {
        if host.contains('@') {
            return false;
        }
        let Ok(authority) = host.parse::<Authority>() else {
            return false;
        };
        let name = bare(authority.host());
        self.names.contains(&name) || (self.any_address && name.parse::<IpAddr>().is_ok())
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
        hosts.allow(&Uri::from_static("/api/backups"), &headers)
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
    fn a_request_names_no_two_hosts() {
        let hosts = on("127.0.0.1:8000");
        let mut headers = HeaderMap::new();
        assert!(hosts.allow(&Uri::from_static("/"), &headers));
        headers.append(header::HOST, "localhost".parse().expect("a header"));
        assert!(hosts.allow(&Uri::from_static("/"), &headers));
        assert!(!hosts.allow(&Uri::from_static("http://evil.example/"), &headers));
        headers.append(header::HOST, "localhost".parse().expect("a header"));
        assert!(!hosts.allow(&Uri::from_static("/"), &headers));
    }
}
