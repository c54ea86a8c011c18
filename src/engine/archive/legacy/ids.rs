//! The ids that rows of the older form had, which their files do not always say.

use std::net::IpAddr;

use serde::Deserialize;
use uuid::Uuid;

use crate::model::Part;

/// What ids are made of.
#[derive(Debug, Default, Deserialize)]
pub struct Thin {
    vrf_id: Option<String>,
    cidr: Option<String>,
    subnet_cidr: Option<String>,
    vpc_prefix_cidr: Option<String>,
    vpc_provider_vpc_id: Option<String>,
    provider: Option<String>,
    provider_account_id: Option<String>,
    provider_vpc_id: Option<String>,
}

/// What stands for a row that the database does not have.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ids {
    /// The row's own id; of a subnet, what follows `<vpc uuid>-subnet-` if it is not public.
    pub made: String,
    /// The cidr as ids hold it.
    pub dashed: String,
}

/// The ids of a row; an error names the value that is missing or no cidr.
pub fn ids(part: &Part, thin: &Thin) -> Result<Ids, String> {
    let given = |name: &str, value: &Option<String>| {
        value.clone().ok_or_else(|| format!("a row of {} has no {name}", part.name))
    };
    Ok(match part.name.as_str() {
        "prefixes" => {
            let (vrf, cidr) = (given("vrf_id", &thin.vrf_id)?, given("cidr", &thin.cidr)?);
            let dashed = dashed(&cidr)?;
            let made = if vrf == "public-vrf" {
                format!("public-ip-{dashed}")
            } else {
                format!("manual-{vrf}-{dashed}")
            };
            Ids { made, dashed }
        }
        "vpcs" => {
            let account = thin.provider_account_id.as_deref().unwrap_or_default();
            let provider = given("provider", &thin.provider)?;
            let name = given("provider_vpc_id", &thin.provider_vpc_id)?;
            let made = made_of(&["vpc", &provider, account, &name]);
            Ids { made, ..Ids::default() }
        }
        "vpc_associations" => {
            let vpc = given("vpc_provider_vpc_id", &thin.vpc_provider_vpc_id)?;
            let cidr = given("vpc_prefix_cidr", &thin.vpc_prefix_cidr)?;
            let made = made_of(&["association", &vpc, &cidr]);
            Ids { made, dashed: dashed(&cidr)? }
        }
        "vpc_subnets" => synced(&given("subnet_cidr", &thin.subnet_cidr)?)?,
        "public_ips" => {
            let cidr = given("cidr", &thin.cidr)?;
            match thin.vpc_provider_vpc_id {
                Some(_) => synced(&cidr)?,
                None => {
                    Ids { made: format!("public-ip-{}", dashed(&cidr)?), dashed: dashed(&cidr)? }
                }
            }
        }
        _ => Ids::default(),
    })
}

/// A uuid that the same names always give.
fn made_of(names: &[&str]) -> String {
    let name = format!("ipam-rewind:{}", names.join("/"));
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string()
}

/// The network's own spelling is kept.
fn synced(cidr: &str) -> Result<Ids, String> {
    let (_, length) = parse(cidr)?;
    let address = cidr.split('/').next().unwrap_or(cidr);
    Ok(Ids { made: format!("{address}-{length}"), dashed: dashed(cidr)? })
}

/// `10.1.0.0/16` as `10-1-0-0-16`; IPv6 is written out in full.
fn dashed(cidr: &str) -> Result<String, String> {
    let (address, length) = parse(cidr)?;
    let written = match address {
        IpAddr::V4(address) => address.to_string().replace('.', "-"),
        IpAddr::V6(address) => {
            let groups = address.segments().map(|group| format!("{group:04x}"));
            groups.join("-")
        }
    };
    Ok(format!("{written}-{length}"))
}

/// An address alone is a network of itself.
fn parse(cidr: &str) -> Result<(IpAddr, u8), String> {
    let wrong = || format!("not a cidr: {:?}", cidr.chars().take(80).collect::<String>());
    let (address, length) = cidr.split_once('/').map_or((cidr, None), |(a, l)| (a, Some(l)));
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let full = if address.is_ipv4() { 32 } else { 128 };
    let length = length.map_or(Ok(full), str::parse).map_err(|_| wrong())?;
    if length > full { Err(wrong()) } else { Ok((address, length)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Profile;

    fn of(part: &str, row: serde_json::Value) -> Result<Ids, String> {
        let thin = serde_json::from_value(row).expect("strings");
        ids(Profile::builtin().part(part).expect("a part"), &thin)
    }

    #[test]
    fn ids_follow_the_patterns() {
        let cases = [
            ("prefixes", "prod-vrf", "10.1.0.0/16", "manual-prod-vrf-10-1-0-0-16"),
            ("prefixes", "public-vrf", "203.0.113.10", "public-ip-203-0-113-10-32"),
            (
                "prefixes",
                "v",
                "2001:db8::/32",
                "manual-v-2001-0db8-0000-0000-0000-0000-0000-0000-32",
            ),
        ];
        for (part, vrf_id, cidr, id) in cases {
            let row = serde_json::json!({"vrf_id": vrf_id, "cidr": cidr});
            assert_eq!(of(part, row).expect("ids").made, id);
        }
        let subnet = of("vpc_subnets", serde_json::json!({"subnet_cidr": "10.101.1.0/24"}));
        let expected = Ids { made: "10.101.1.0-24".into(), dashed: "10-101-1-0-24".into() };
        assert_eq!(subnet, Ok(expected));
        let six = of("vpc_subnets", serde_json::json!({"subnet_cidr": "2001:db8:1::/64"}));
        assert_eq!(six.expect("ids").made, "2001:db8:1::-64");
    }

    #[test]
    fn made_up_ids_depend_on_the_names_alone() {
        let vpc = |account| {
            serde_json::json!({"provider": "aws", "provider_account_id": account,
                "provider_vpc_id": "vpc-1"})
        };
        let [a, b, c] = ["1", "1", "2"].map(|account| of("vpcs", vpc(account)).expect("ids").made);
        assert!(a == b && a != c);
        assert_eq!(Uuid::try_parse(&a).expect("a uuid").get_version_num(), 5);
    }

    #[test]
    fn what_is_no_cidr_is_named() {
        for cidr in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "x", "10.0.0.0/8/8", "10.0.0.0/-1"] {
            let row = serde_json::json!({"vrf_id": "v", "cidr": cidr});
            assert_eq!(of("prefixes", row), Err(format!("not a cidr: {cidr:?}")));
        }
    }
}
