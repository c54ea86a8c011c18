//! The prefixes that people wrote: in each VRF one tree of IPv4 and one of IPv6.

use super::block::Block;
use super::cloud::{self, VPCS_IN_A_REGION};
use super::copy_text::CopyText;
use super::moment;
use super::prefix::Prefix;
use super::random::{Random, Stream};
use super::size::PlanSize;
use super::tags;
use super::vrf::Vrf;

/// How much of the manual prefixes the default VRF holds, where others hold 1 to 3.
const DEFAULT_WEIGHT: u64 = 12;
/// The /12 blocks of 10.0.0.0/8 below those of the clouds.
const REGIONS: u64 = 12;

/// How many manual prefixes each VRF gets, by its number; together exactly the plan's.
pub(super) fn shares(plan: PlanSize) -> Vec<u64> {
    let weights: Vec<u64> = Vrf::all(plan)
        .map(|vrf| match vrf.number {
            0 => DEFAULT_WEIGHT,
            number => 1 + Random::of(Stream::Site, !number).below(3),
        })
        .collect();
    let (manual, total) = (plan.counts().manual, weights.iter().sum::<u64>());
    let mut reached = 0;
    weights
        .iter()
        .map(|weight| {
            let before = manual * reached / total;
            reached += weight;
            manual * reached / total - before
        })
        .collect()
}

/// Writes the `share` manual prefixes of one VRF, parents first.
pub(super) fn write(vrf: &Vrf, vpcs: u64, share: u64, rows: &mut CopyText) {
    let mut tree = Tree {
        vrf,
        random: Random::of(Stream::Site, vrf.number),
        left: share,
        rows,
    };
    tree.cloud(vpcs);
    let sites = tree.left - tree.left * 15 / 100;
    tree.six(sites);
    tree.sites(share);
    debug_assert_eq!(tree.left, 0, "the tree has room for every share");
}

/// A prefix that was written and may get children.
struct Parent {
    id: String,
    cidr: Block,
    level: u8,
    routable: bool,
}

struct Tree<'a> {
    vrf: &'a Vrf,
    random: Random,
    left: u64,
    rows: &'a mut CopyText,
}

impl Tree<'_> {
    const FOUR: Block = Block::v4(10, 0, 0, 0, 8);

    /// The IPv4 root, and below it the blocks that the VPCs are in.
    fn cloud(&mut self, vpcs: u64) {
        let root = self.root(Self::FOUR);
        for region in 0..vpcs.div_ceil(VPCS_IN_A_REGION) {
            let first = region * VPCS_IN_A_REGION;
            let block = self.add(Some(&root), cloud::region_block(region), false);
            for slot in first..vpcs.min(first + VPCS_IN_A_REGION) {
                self.add(Some(&block), cloud::vpc_block(slot), true);
            }
        }
    }

    /// IPv6 until only `keep` prefixes are left to write: /32, sites of /48, networks of /64.
    fn six(&mut self, keep: u64) {
        if self.left <= keep {
            return;
        }
        let number = self.vrf.number;
        let low = u16::try_from(number % 65_536).expect("the remainder fits");
        let high = u16::try_from(number / 65_536 % 256).expect("the remainder fits");
        let root = self.root(Block::v6(0xfd00 + high, low, 32));
        let mut sites = 0;
        while self.left > keep {
            let site = self.child(&root, root.cidr.nth(sites, 48));
            let networks = 4 + self.random.below(13);
            for network in 0..networks.min(self.left - keep) {
                self.child(&site, site.cidr.nth(network, 64));
            }
            sites += 1;
        }
    }

    /// Sites of IPv4 until the share is used up: /12, /16, /20, /24 and some smaller.
    fn sites(&mut self, share: u64) {
        let root = self.root_again();
        // Enough sites for the share even if every block below comes out small.
        let sites = 16.min(1 + share / 400);
        for region in 0..REGIONS {
            if self.left == 0 {
                return;
            }
            let region = self.child(&root, root.cidr.nth(region, 12));
            for site in 0..sites.min(self.left) {
                let site = self.child(&region, region.cidr.nth(site, 16));
                self.site(&site);
            }
        }
    }

    fn site(&mut self, site: &Parent) {
        let blocks = 6 + self.random.below(11);
        for block in 0..blocks {
            if self.left == 0 {
                return;
            }
            let block = self.child(site, site.cidr.nth(block, 20));
            let networks = 8 + self.random.below(9);
            for network in 0..networks.min(self.left) {
                self.network(&block, block.cidr.nth(network, 24));
            }
        }
    }

    fn network(&mut self, block: &Parent, cidr: Block) {
        if self.left == 0 {
            return;
        }
        let network = self.child(block, cidr);
        if self.random.one_in(8) {
            let parts = 2 + self.random.below(3);
            for part in 0..parts.min(self.left) {
                self.child(&network, cidr.nth(part, 27));
            }
        }
    }

    fn root(&mut self, cidr: Block) -> Parent {
        self.add(None, cidr, false)
    }

    fn root_again(&self) -> Parent {
        Parent {
            id: Self::FOUR.manual_id(&self.vrf.id),
            cidr: Self::FOUR,
            level: 0,
            routable: self.vrf.routable,
        }
    }

    fn child(&mut self, parent: &Parent, cidr: Block) -> Parent {
        self.add(Some(parent), cidr, false)
    }

    /// Writes a prefix. Only what lies deep and holds no VPC may stop being routable.
    fn add(&mut self, parent: Option<&Parent>, cidr: Block, holds_vpcs: bool) -> Parent {
        let level = parent.map_or(0, |parent| parent.level + 1);
        let may_isolate = level >= 2 && !holds_vpcs;
        let isolated = may_isolate && self.random.one_in(20);
        let routable = parent.map_or(self.vrf.routable, |parent| parent.routable) && !isolated;
        let id = cidr.manual_id(&self.vrf.id);
        let (created, updated) = moment::created_and_updated(&mut self.random);
        Prefix {
            id: &id,
            vrf: &self.vrf.id,
            cidr,
            tags: tags::prefix(&mut self.random),
            level,
            parent: parent.map(|parent| parent.id.as_str()),
            routable,
            holds_vpcs,
            vpc: None,
            created,
            updated,
        }
        .write(self.rows);
        self.left -= 1;
        Parent {
            id,
            cidr,
            level,
            routable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_vrf_gets_exactly_its_share(prefixes in 1_u64..20_000) {
            let plan = PlanSize { prefixes };
            let shares = shares(plan);
            prop_assert_eq!(shares.iter().sum::<u64>(), plan.counts().manual);
            for (vrf, share) in Vrf::all(plan).zip(shares) {
                let mut rows = CopyText::default();
                write(&vrf, vrf.vpcs(plan).count() as u64, share, &mut rows);
                prop_assert_eq!(rows.take().lines().count() as u64, share);
            }
        }
    }
}
