//! IP networks: as PostgreSQL writes them, in order, and which holds which.

use std::net::IpAddr;

/// A network; an address is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    /// Whether it is IPv6. IPv4 comes first.
    v6: bool,
    /// Its first address.
    address: u128,
    /// Bits that all its addresses share. A wider network comes before those that it holds.
    length: u8,
}

impl Network {
    /// The network that a text names, such as `10.1.2.0/24` or `2001:db8::1`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let (v6, address, most) = match address.parse().ok()? {
            IpAddr::V4(address) => (false, u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (true, address.to_bits(), 128),
        };
        let length = length.map_or(Some(most), |length| {
            let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
            length.parse().ok().filter(|length| digits && *length <= most)
        })?;
        Some(Self { v6, address, length })
    }

    /// Whether every address of `other` is one of this.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        let bits = if self.v6 { 128 } else { 32 };
        let shift = u32::from(bits - self.length);
        let first = |address: u128| address.checked_shr(shift).unwrap_or(0);
        self.v6 == other.v6
            && self.length <= other.length
            && first(self.address) == first(other.address)
    }

    /// Whether it is a single address.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.length == if self.v6 { 128 } else { 32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn network_holds_what_lies_within() {
        for (outer, inner, holds) in [
            ("10.0.0.0/8", "10.1.2.0/24", true),
            ("10.1.2.0/24", "10.1.2.0/24", true),
            ("10.1.2.0/24", "10.1.2.77", true),
            ("10.1.2.0/24", "10.1.3.0/24", false),
            ("10.1.2.0/24", "110.1.2.0/24", false),
            ("10.1.2.0/24", "10.0.0.0/8", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("::/0", "2001:db8::/32", true),
            ("::/0", "10.0.0.0/8", false),
            ("2001:db8::/32", "2001:db8:1::/48", true),
        ] {
            assert_eq!(network(outer).contains(&network(inner)), holds, "{outer} {inner}");
        }
    }

    #[test]
    fn network_that_makes_no_sense_is_none() {
        for text in ["", "10", "10.1.2", "10.1.2.0/", "10.1.2.0/33", "10.1.2.0/+8", "::/129", "a/8"]
        {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn wider_networks_come_before_those_that_they_hold() {
        let mut all = ["2001:db8::/32", "10.2.0.0/16", "10.0.0.0/8", "10.0.0.0/16"].map(network);
        all.sort();
        let sorted = ["10.0.0.0/8", "10.0.0.0/16", "10.2.0.0/16", "2001:db8::/32"].map(network);
        assert_eq!(all, sorted);
        assert!(network("10.0.0.1").is_address() && !network("10.0.0.0/31").is_address());
    }
}
