//! Address blocks and the prefix ids made of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network in CIDR notation; the host bits are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    network: IpAddr,
    length: u8,
}

impl Block {
    pub(super) const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Self {
        Self { network: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), length }
    }

    pub(super) fn v6(first: u16, second: u16, length: u8) -> Self {
        let network = Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0);
        Self { network: IpAddr::V6(network), length }
    }

    /// The `number`th block of `length` bits in this one, counted from 0.
    pub(super) fn nth(self, number: u64, length: u8) -> Self {
        let network = match self.network {
            IpAddr::V4(address) => {
                let offset = u32::try_from(number).expect("a number within the block");
                IpAddr::V4((address.to_bits() | (offset << (32 - length))).into())
            }
            IpAddr::V6(address) => {
                let offset = u128::from(number) << (128 - length);
                IpAddr::V6((address.to_bits() | offset).into())
            }
        };
        Self { network, length }
    }

    /// The id of a prefix written by hand: `manual-prod-vrf-10-1-0-0-16`, IPv6 in full.
    pub(super) fn manual_id(self, vrf: &str) -> String {
        let written = match self.network {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let groups = address.segments().map(|group| format!("{group:04x}"));
                groups.join("-")
            }
        };
        let written = written.replace('.', "-");
        format!("manual-{vrf}-{written}-{}", self.length)
    }

    /// The part of a synced subnet's id after the VPC: `10.101.1.0-24`.
    pub(super) fn synced_name(self) -> String {
        self.to_string().replace('/', "-")
    }

    /// The part of a public address's id: `203-0-113-1-32`.
    pub(super) fn public_name(self) -> String {
        self.to_string().replace(['.', ':', '/'], "-")
    }

    pub(super) fn address(self) -> IpAddr {
        self.network
    }
}

impl fmt::Display for Block {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.network, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_patterns_of_the_application() {
        let site = Block::v4(10, 0, 0, 0, 8).nth(1, 16);
        assert_eq!(site.manual_id("prod-vrf"), "manual-prod-vrf-10-1-0-0-16");
        let subnet = Block::v4(10, 101, 1, 0, 24);
        assert_eq!(subnet.synced_name(), "10.101.1.0-24");
        let public = Block::v4(203, 0, 113, 10, 32);
        assert_eq!(public.public_name(), "203-0-113-10-32");
        let six = Block::v6(0xfd00, 0x1, 32).nth(3, 48);
        assert_eq!(six.to_string(), "fd00:1:3::/48");
        assert_eq!(six.manual_id("x"), "manual-x-fd00-0001-0003-0000-0000-0000-0000-0000-48");
    }
}
