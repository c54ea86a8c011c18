//! VPCs of four providers, their address blocks, and the subnets that the cloud sync found.

use uuid::Uuid;

use super::block::Block;
use super::copy_text::CopyText;
use super::moment::{self, Batch};
use super::prefix::Prefix;
use super::random::{Random, Stream};
use super::size::{blocks_of, subnets_of};
use super::tags;
use super::vrf::Vrf;

pub(super) const VPC_COLUMNS: &str = "vpc (vpc_id, description, provider, provider_account_id, \
     provider_vpc_id, region, tags)";
pub(super) const ASSOCIATION_COLUMNS: &str = "vpc_prefix_association (association_id, vpc_id, \
     vpc_prefix_cidr, routable, parent_prefix_id)";

/// The upper quarter of 10.0.0.0/8 is the clouds', one /16 for each VPC.
const CLOUD: Block = Block::v4(10, 192, 0, 0, 10);
pub(super) const VPCS_IN_A_REGION: u64 = 16;

const PROVIDERS: [&str; 8] = ["aws", "aws", "aws", "aws", "azure", "azure", "gcp", "other"];

/// The id of a VPC, known from its number alone.
pub(super) fn vpc_id(vpc: u64) -> Uuid {
    Random::of(Stream::VpcId, vpc).uuid()
}

/// The /12 that holds the `number`th group of a VRF's VPCs.
pub(super) fn region_block(number: u64) -> Block {
    CLOUD.nth(number, 12)
}

/// The /16 of a VRF's `slot`th VPC.
pub(super) fn vpc_block(slot: u64) -> Block {
    CLOUD.nth(slot, 16)
}

pub(super) fn write_vpc(vpc: u64, rows: &mut CopyText) {
    let mut random = Random::of(Stream::Vpc, vpc);
    let provider = random.pick(&PROVIDERS);
    let description = (!random.one_in(5)).then(|| format!("{provider} network {vpc}"));
    let (account, network, regions) = identity(provider, &mut random);
    rows.plain(vpc_id(vpc))
        .nullable(description)
        .plain(provider)
        .nullable(account)
        .plain(network)
        .plain(random.pick(regions))
        .text(&tags::network(&mut random))
        .end_row();
}

/// How a provider names the account, the network and its regions.
fn identity(
    provider: &str,
    random: &mut Random,
) -> (Option<String>, String, &'static [&'static str]) {
    match provider {
        "aws" => (
            Some(format!("{:012}", random.below(1_000_000_000_000))),
            format!("vpc-0{:016x}", random.next()),
            &["eu-central-1", "eu-west-1", "us-east-1", "ap-southeast-1"],
        ),
        "azure" => (
            Some(random.uuid().to_string()),
            format!("vnet-hub-{:012x}", random.next() >> 16),
            &["westeurope", "northeurope", "eastus2"],
        ),
        "gcp" => (
            Some(format!("corp-network-{:06}", random.below(1_000_000))),
            format!("vpc-{:016x}", random.next()),
            &["europe-west3", "us-central1", "asia-south1"],
        ),
        _ => (
            random.one_in(2).then(|| format!("customer-{}", random.below(100_000))),
            format!("net-{:016x}", random.next()),
            &["gra11", "fsn1", "eu-de"],
        ),
    }
}

/// The blocks of one VPC, which is the `slot`th of its VRF.
pub(super) fn write_associations(vrf: &Vrf, slot: u64, vpc: u64, rows: &mut CopyText) {
    let mut random = Random::of(Stream::Cloud, vpc);
    let home = vpc_block(slot);
    for block in 0..blocks_of(vpc) {
        rows.plain(random.uuid())
            .plain(vpc_id(vpc))
            .plain(home.nth(block, 20))
            .boolean(vrf.routable && !random.one_in(10))
            .plain(home.manual_id(&vrf.id))
            .end_row();
    }
}

/// The subnets of one VPC, which is the `slot`th of its VRF.
pub(super) fn write_subnets(vrf: &Vrf, slot: u64, vpc: u64, rows: &mut CopyText) {
    let mut random = Random::of(Stream::Cloud, !vpc);
    let (home, vpc_id) = (vpc_block(slot), vpc_id(vpc));
    let parent = home.manual_id(&vrf.id);
    // The sync found most of them together.
    let (batch, stack) = (Batch::draw(&mut random), tags::Stack::draw(&mut random));
    for block in 0..blocks_of(vpc) {
        for number in 0..subnets_of(vpc, block) {
            let cidr = home.nth(block, 20).nth(number, 24);
            let (created, _) = batch.created_and_updated(&mut random);
            Prefix {
                id: &format!("{vpc_id}-subnet-{}", cidr.synced_name()),
                vrf: &vrf.id,
                cidr,
                tags: stack.subnet(&format!("net{vpc}"), number, &mut random),
                level: 3,
                parent: Some(&parent),
                routable: vrf.routable && !random.one_in(8),
                holds_vpcs: false,
                vpc: Some(vpc_id),
                created,
                updated: moment::last_sync(),
            }
            .write(rows);
        }
    }
}
