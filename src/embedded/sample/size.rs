//! How many rows of each kind a plan of a given size has.

/// The size of a sample plan; everything else scales with its prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanSize {
    /// Rows of the table `prefix`, all kinds together. Fewer than 100 count as 100.
    pub prefixes: u64,
}

impl Default for PlanSize {
    /// The small plan of the demo.
    fn default() -> Self {
        Self { prefixes: 5_000 }
    }
}

/// Rows of a plan by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanCounts {
    /// VRFs, the two preset ones included.
    pub vrfs: u64,
    pub vpcs: u64,
    /// Address blocks of VPCs.
    pub associations: u64,
    /// Prefixes written by hand, outside the VRF of the public addresses.
    pub manual: u64,
    /// Prefixes of VPC subnets.
    pub subnets: u64,
    /// Prefixes in the VRF of the public addresses.
    pub public_ips: u64,
    /// Rows of `device42_ipaddress`.
    pub device42: u64,
}

/// Blocks of a VPC, by its number's last digit in base five; three on average.
const BLOCKS: [u64; 5] = [1, 5, 2, 4, 3];
/// Subnets of a block, by the sum of its VPC's number and its own; four on average.
const SUBNETS: [u64; 5] = [3, 6, 3, 4, 4];

impl PlanSize {
    pub(super) fn prefixes(self) -> u64 {
        self.prefixes.max(100)
    }

    pub(super) fn vrfs(self) -> u64 {
        (self.prefixes() / 500).max(4)
    }

    pub(super) fn vpcs(self) -> u64 {
        self.prefixes() / 50
    }

    pub(super) fn public_ips(self) -> u64 {
        self.prefixes() * 6 / 100
    }

    pub(super) fn device42(self) -> u64 {
        (self.prefixes() / 50).max(20)
    }

    /// The rows of this plan by kind.
    pub fn counts(self) -> PlanCounts {
        let vpcs = self.vpcs();
        let associations = (0..vpcs).map(blocks_of).sum();
        let subnets = (0..vpcs)
            .flat_map(|vpc| (0..blocks_of(vpc)).map(move |block| subnets_of(vpc, block)))
            .sum();
        PlanCounts {
            vrfs: self.vrfs(),
            vpcs,
            associations,
            manual: self.prefixes() - self.public_ips() - subnets,
            subnets,
            public_ips: self.public_ips(),
            device42: self.device42(),
        }
    }
}

pub(super) fn blocks_of(vpc: u64) -> u64 {
    BLOCKS[usize::from((vpc % 5) as u8)]
}

pub(super) fn subnets_of(vpc: u64, block: u64) -> u64 {
    SUBNETS[usize::from(((vpc + block) % 5) as u8)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_prefixes_have_the_documented_proportions() {
        let counts = PlanSize { prefixes: 1_000_000 }.counts();
        assert_eq!(
            counts,
            PlanCounts {
                vrfs: 2_000,
                vpcs: 20_000,
                associations: 60_000,
                manual: 700_000,
                subnets: 240_000,
                public_ips: 60_000,
                device42: 20_000,
            }
        );
    }
}
