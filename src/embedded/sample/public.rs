//! Public addresses: two of three belong to a VPC, the others stand alone.

use super::block::Block;
use super::cloud::vpc_id;
use super::copy_text::CopyText;
use super::moment::{self, Batch};
use super::prefix::Prefix;
use super::random::{Random, Stream};
use super::size::PlanSize;
use super::{tags, vrf};

const POOL: Block = Block::v4(52, 0, 0, 0, 8);
const POOL_BITS: u32 = 24;

pub(super) fn write(plan: PlanSize, number: u64, rows: &mut CopyText) {
    let mut random = Random::of(Stream::Public, number);
    let cidr = address(number);
    let alone = number.is_multiple_of(3);
    let vpc = (!alone).then(|| vpc_id(random.below(plan.vpcs())));
    let id = match vpc {
        Some(vpc) => format!("{vpc}-subnet-{}", cidr.public_name()),
        None => format!("public-ip-{}", cidr.public_name()),
    };
    let (created, updated) = Batch::draw(&mut random).created_and_updated(&mut random);
    Prefix {
        id: &id,
        vrf: vrf::PUBLIC,
        cidr,
        tags: tags::public(&mut random),
        level: 0,
        parent: None,
        routable: true,
        holds_vpcs: false,
        vpc,
        created,
        updated: if vpc.is_some() { moment::last_sync() } else { updated },
    }
    .write(rows);
}

/// The address of a number. An odd factor is a permutation of the pool, so none comes twice.
pub(super) fn address(number: u64) -> Block {
    let scattered = number.wrapping_mul(0x009e_3779) % (1 << POOL_BITS);
    POOL.nth(scattered, 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_public_address_comes_twice() {
        let addresses: BTreeSet<_> = (0..100_000).map(|n| address(n).to_string()).collect();
        assert_eq!(addresses.len(), 100_000);
    }
}
