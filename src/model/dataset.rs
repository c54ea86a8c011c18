//! What is backed up, and into which dataset each row belongs: data, in this one place.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the four datasets of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dataset {
    /// All VRFs.
    Vrfs,
    /// Prefixes entered by hand.
    Prefixes,
    /// VPCs, their associations and their subnets.
    Vpcs,
    /// Public addresses, and the addresses of device42 where they exist.
    PublicIps,
    /// None of the four: rows beside them that a restore removed, in its safety backup alone.
    IdempotencyRecords,
}

impl Dataset {
    /// The four of every backup, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Vrfs, Self::Prefixes, Self::Vpcs, Self::PublicIps];

    /// The name in metadata, on the command line and in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vrfs => "vrfs",
            Self::Prefixes => "prefixes",
            Self::Vpcs => "vpcs",
            Self::PublicIps => "public_ips",
            Self::IdempotencyRecords => "idempotency_records",
        }
    }

    /// The name of this dataset's file in the backup with that id.
    #[must_use]
    pub fn file_name(self, id: &super::BackupId) -> String {
        let stem = match self {
            Self::Vrfs => "vrfs",
            Self::Prefixes => "manual_prefixes",
            Self::Vpcs => "vpc_data",
            Self::PublicIps => "public_ips",
            Self::IdempotencyRecords => "idempotency_records",
        };
        format!("{stem}_export_{id}.json")
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No dataset has this name.
#[derive(Debug, thiserror::Error)]
#[error("no dataset is named {0:?}; they are vrfs, prefixes, vpcs and public_ips")]
pub struct UnknownDataset(String);

impl std::str::FromStr for Dataset {
    type Err = UnknownDataset;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|dataset| dataset.name() == text);
        named.ok_or_else(|| UnknownDataset(text.chars().take(80).collect()))
    }
}

/// The rows of one table that belong to one dataset. Each part becomes a tree of its own.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// The name, unique among all parts; also the array's name in the dataset's file.
    pub name: &'static str,
    /// The dataset that it belongs to.
    pub dataset: Dataset,
    /// The table that it reads.
    pub table: &'static str,
    /// The SQL condition that selects its rows. The parts of a table cover it without overlap.
    pub condition: &'static str,
    /// A site may lack the table.
    pub optional: bool,
}

const fn part(
    name: &'static str,
    dataset: Dataset,
    table: &'static str,
    condition: &'static str,
) -> Part {
    Part { name, dataset, table, condition, optional: false }
}

/// Every row of the backed-up tables is in exactly one of these.
pub const PARTS: [Part; 7] = [
    part("vrfs", Dataset::Vrfs, "vrf", "true"),
    part("prefixes", Dataset::Prefixes, "prefix", "source = 'manual' AND vrf_id <> 'public-vrf'"),
    part("vpcs", Dataset::Vpcs, "vpc", "true"),
    part("vpc_associations", Dataset::Vpcs, "vpc_prefix_association", "true"),
    part("vpc_subnets", Dataset::Vpcs, "prefix", "source = 'vpc' AND vrf_id <> 'public-vrf'"),
    part("public_ips", Dataset::PublicIps, "prefix", "vrf_id = 'public-vrf'"),
    Part {
        optional: true,
        ..part("device42_ipaddresses", Dataset::PublicIps, "device42_ipaddress", "true")
    },
];

/// Columns that a mere touch changes. They are stored apart, so that a touch costs next to nothing.
pub const VOLATILE_COLUMNS: [&str; 2] = ["updated_at", "last_updated"];

/// The rows that a restore removes beside the backed-up ones: answers that the application keeps for
/// requests whose rows are undone. They are kept in the safety backup, and come back with the undo.
pub static RECORDS: Part = Part {
    optional: true,
    ..part("idempotency_records", Dataset::IdempotencyRecords, "idempotency_record", "true")
};

/// The column of [`RECORDS`] that tells when a row was made.
pub const RECORD_MADE_AT: &str = "created_at";

impl Part {
    /// The part with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        PARTS.iter().chain([&RECORDS]).find(|part| part.name == name)
    }

    /// The backed-up tables, each once, referenced ones before those that refer to them.
    #[must_use]
    pub fn tables() -> Vec<&'static str> {
        vec!["vrf", "vpc", "prefix", "vpc_prefix_association", "device42_ipaddress"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_reads_a_table_of_the_list_and_every_table_has_a_part() {
        let mut of_parts: Vec<_> = PARTS.iter().map(|part| part.table).collect();
        of_parts.sort_unstable();
        of_parts.dedup();
        let mut tables = Part::tables();
        tables.sort_unstable();
        assert_eq!(of_parts, tables);
    }
}
