//! The VRFs of a plan: the two preset ones, then sites and tenants.

use super::copy_text::CopyText;
use super::random::{Random, Stream};
use super::size::PlanSize;
use super::tags;

pub(super) const COLUMNS: &str = "vrf (vrf_id, description, tags, routable_flag, is_default)";
pub(super) const PUBLIC: &str = "public-vrf";

const CITIES: [&str; 16] = [
    "ams", "ber", "bom", "cdg", "dub", "fra", "gru", "hkg", "iad", "lhr", "mad", "nrt", "ord",
    "sin", "syd", "zrh",
];
const FIRST: [&str; 20] = [
    "amber", "basalt", "cedar", "delta", "ember", "falcon", "granite", "harbor", "indigo",
    "juniper", "kestrel", "lagoon", "maple", "nimbus", "onyx", "prairie", "quartz", "raven",
    "summit", "tundra",
];
const SECOND: [&str; 10] =
    ["bank", "cargo", "energy", "foods", "health", "labs", "media", "motors", "retail", "telecom"];
const STAGES: [&str; 4] = ["prod", "staging", "dev", "dmz"];

/// A VRF other than that of the public addresses; number 0 is the preset default.
pub(super) struct Vrf {
    pub(super) number: u64,
    pub(super) id: String,
    pub(super) routable: bool,
}

impl Vrf {
    pub(super) fn new(number: u64) -> Self {
        Self { number, id: id(number), routable: number % 10 != 9 }
    }

    /// All VRFs of the plan that hold more than public addresses.
    pub(super) fn all(plan: PlanSize) -> impl Iterator<Item = Self> {
        (0..plan.vrfs() - 1).map(Self::new)
    }

    pub(super) fn is_preset(&self) -> bool {
        self.number == 0
    }

    /// The numbers of the VPCs that this VRF holds.
    pub(super) fn vpcs(&self, plan: PlanSize) -> std::ops::Range<u64> {
        let holders = plan.vrfs() - 1;
        let before = |number: u64| number * plan.vpcs() / holders;
        before(self.number)..before(self.number + 1)
    }

    pub(super) fn write(&self, rows: &mut CopyText) {
        let mut random = Random::of(Stream::Vrf, self.number);
        let purpose = if self.routable { "Routed network" } else { "Isolated lab, réseau privé" };
        let description = (!random.one_in(12)).then(|| format!("{purpose} of {}", self.id));
        rows.plain(&self.id)
            .nullable(description)
            .text(&tags::network(&mut random))
            .boolean(self.routable)
            .boolean(false)
            .end_row();
    }
}

/// A name that no other number has: each is spelled in digits of mixed bases, made of words.
fn id(number: u64) -> String {
    if number == 0 {
        return "prod-vrf".to_owned();
    }
    let word = |words: &[&'static str], digit: u64| {
        words[usize::try_from(digit).expect("a digit") % words.len()]
    };
    if number.is_multiple_of(5) {
        let site = number / 5;
        let city = word(&CITIES, site % 16);
        return format!("site-{city}{:02}-vrf", site / 16 + 1);
    }
    let stage = word(&STAGES, number % 4);
    let (first, second) = (word(&FIRST, number / 4 % 20), word(&SECOND, number / 80 % 10));
    match number / 800 {
        0 => format!("tenant-{first}-{second}-{stage}-vrf"),
        round => format!("tenant-{first}-{second}-{}-{stage}-vrf", round + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_vrfs_share_a_name() {
        let names: BTreeSet<_> = (0..20_000).map(id).collect();
        assert_eq!(names.len(), 20_000);
        assert!(!names.contains(PUBLIC));
    }

    #[test]
    fn every_vpc_is_in_one_vrf() {
        for prefixes in [1, 700, 5_000, 123_456] {
            let plan = PlanSize { prefixes };
            let all: Vec<u64> = Vrf::all(plan).flat_map(|vrf| vrf.vpcs(plan)).collect();
            assert_eq!(all, (0..plan.vpcs()).collect::<Vec<_>>());
        }
    }
}
