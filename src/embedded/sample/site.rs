//! The prefixes that people wrote: in each VRF one tree of IPv4 and one of IPv6.

use super::block::Block;
use super::cloud::{self, VPCS_IN_A_REGION};
use super::copy_text::CopyText;
use super::moment::Batch;
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
    let mut random = Random::of(Stream::Site, vrf.number);
    let import = Import::draw(&mut random);
    let mut tree = Tree { vrf, random, import, left: share, rows };
    tree.fill(vpcs);
    debug_assert_eq!(tree.left, 0, "the tree has room for every share");
}

/// A prefix that was written and may get children.
struct Parent {
    id: String,
    cidr: Block,
    level: u8,
    routable: bool,
}

/// A site comes into the plan with one import.
struct Import {
    batch: Batch,
    tags: tags::Site,
}

impl Import {
    fn draw(random: &mut Random) -> Self {
        Self { batch: Batch::draw(random), tags: tags::Site::draw(random) }
    }
}

/// A tree that grows until `left` more prefixes are written: then [`Tree::add`] gives `None`, and
/// every branch that is being written ends with it.
struct Tree<'a> {
    vrf: &'a Vrf,
    random: Random,
    import: Import,
    left: u64,
    rows: &'a mut CopyText,
}

impl Tree<'_> {
    fn fill(&mut self, vpcs: u64) -> Option<()> {
        let root = self.add(None, Block::v4(10, 0, 0, 0, 8), false)?;
        self.cloud(&root, vpcs)?;
        let six = self.left * 15 / 100;
        let four = self.left - six;
        self.left = six;
        self.six();
        self.left = four;
        self.sites(&root)
    }

    /// The blocks that the VPCs are in.
    fn cloud(&mut self, root: &Parent, vpcs: u64) -> Option<()> {
        for region in 0..vpcs.div_ceil(VPCS_IN_A_REGION) {
            let first = region * VPCS_IN_A_REGION;
            let block = self.child(root, cloud::region_block(region))?;
            for slot in first..vpcs.min(first + VPCS_IN_A_REGION) {
                self.add(Some(&block), cloud::vpc_block(slot), true)?;
            }
        }
        Some(())
    }

    /// IPv6: /32, sites of /48, networks of /64.
    fn six(&mut self) -> Option<()> {
        let number = self.vrf.number;
        let low = u16::try_from(number % 65_536).expect("the remainder fits");
        let high = u16::try_from(number / 65_536 % 256).expect("the remainder fits");
        let root = self.add(None, Block::v6(0xfd00 + high, low, 32), false)?;
        for site in 0..65_536 {
            self.import = Import::draw(&mut self.random);
            let site = self.child(&root, root.cidr.nth(site, 48))?;
            for network in 0..4 + self.random.below(13) {
                self.child(&site, site.cidr.nth(network, 64))?;
            }
        }
        Some(())
    }

    /// Sites of IPv4: /12, /16, /20, /24 and some smaller.
    fn sites(&mut self, root: &Parent) -> Option<()> {
        // Enough sites for what is left even if every block below comes out small.
        let sites = 16.min(1 + self.left / 400);
        for region in 0..REGIONS {
            let region = self.child(root, root.cidr.nth(region, 12))?;
            for site in 0..sites {
                self.import = Import::draw(&mut self.random);
                let site = self.child(&region, region.cidr.nth(site, 16))?;
                self.site(&site)?;
            }
        }
        Some(())
    }

    fn site(&mut self, site: &Parent) -> Option<()> {
        for block in 0..6 + self.random.below(11) {
            let block = self.child(site, site.cidr.nth(block, 20))?;
            for network in 0..8 + self.random.below(9) {
                self.network(&block, block.cidr.nth(network, 24))?;
            }
        }
        Some(())
    }

    fn network(&mut self, block: &Parent, cidr: Block) -> Option<()> {
        let network = self.child(block, cidr)?;
        if self.random.one_in(8) {
            for part in 0..2 + self.random.below(3) {
                self.child(&network, cidr.nth(part, 27))?;
            }
        }
        Some(())
    }

    fn child(&mut self, parent: &Parent, cidr: Block) -> Option<Parent> {
        self.add(Some(parent), cidr, false)
    }

    /// Writes a prefix. Only what lies deep and holds no VPC may stop being routable.
    fn add(&mut self, parent: Option<&Parent>, cidr: Block, holds_vpcs: bool) -> Option<Parent> {
        self.left = self.left.checked_sub(1)?;
        let level = parent.map_or(0, |parent| parent.level + 1);
        let may_isolate = level >= 2 && !holds_vpcs;
        let isolated = may_isolate && self.random.one_in(20);
        let routable = parent.map_or(self.vrf.routable, |parent| parent.routable) && !isolated;
        let id = cidr.manual_id(&self.vrf.id);
        let (created, updated) = self.import.batch.created_and_updated(&mut self.random);
        Prefix {
            id: &id,
            vrf: &self.vrf.id,
            cidr,
            tags: self.import.tags.prefix(&mut self.random),
            level,
            parent: parent.map(|parent| parent.id.as_str()),
            routable,
            holds_vpcs,
            vpc: None,
            created,
            updated,
        }
        .write(self.rows);
        Some(Parent { id, cidr, level, routable })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn every_vrf_gets_exactly_its_share(prefixes in 1_u64..6_000) {
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
