//! How a dataset's file is laid out: data, in this one place.
//!
//! ```text
//! {"export_info": {"type": …, "timestamp": …, "count": n}, "vrfs": [
//! {row},
//! {row}
//! ]}
//! ```

use serde_json::{Map, Value};

use crate::model::{Dataset, Manifest, PARTS, Part, RECORDS};

/// The key of a row that names the columns which hold the JSON value `null`. Without it, `null` is
/// a value that is not there.
pub const JSON_NULLS: &str = "json_nulls";

/// A name that stands in a row beside its columns, for tools that know rows by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// `vpc_provider_vpc_id`: what the provider calls the row's VPC, if it has one.
    ProviderVpcId,
    /// `subnet_cidr`: the row's cidr.
    SubnetCidr,
}

impl Beside {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProviderVpcId => "vpc_provider_vpc_id",
            Self::SubnetCidr => "subnet_cidr",
        }
    }

    /// What the rows of this part have beside their columns.
    pub fn of(part: &Part) -> &'static [Self] {
        match part.name {
            "vpc_associations" | "public_ips" => &[Self::ProviderVpcId],
            "vpc_subnets" => &[Self::ProviderVpcId, Self::SubnetCidr],
            _ => &[],
        }
    }
}

/// What the file calls itself.
pub fn type_name(dataset: Dataset) -> &'static str {
    match dataset {
        Dataset::Vrfs => "vrfs",
        Dataset::Prefixes => "manual_prefixes",
        Dataset::Vpcs => "vpc_data",
        Dataset::PublicIps => "public_ips",
        Dataset::IdempotencyRecords => "idempotency_records",
    }
}

/// What the file counts: the name of each count, and the part whose rows it counts.
pub fn counts(dataset: Dataset) -> &'static [(&'static str, &'static str)] {
    match dataset {
        Dataset::Vrfs => &[("count", "vrfs")],
        Dataset::Prefixes => &[("count", "prefixes")],
        Dataset::Vpcs => &[
            ("vpcs_count", "vpcs"),
            ("associations_count", "vpc_associations"),
            ("subnets_count", "vpc_subnets"),
        ],
        Dataset::PublicIps => &[("count", "public_ips")],
        Dataset::IdempotencyRecords => &[("count", "idempotency_records")],
    }
}

/// The file's head.
pub fn export_info(manifest: &Manifest, dataset: Dataset) -> Value {
    let mut info = Map::new();
    info.insert("type".into(), type_name(dataset).into());
    info.insert("timestamp".into(), manifest.timestamp.clone().into());
    for (name, part) in counts(dataset) {
        let rows = manifest.part(part).map_or(0, |part| part.rows);
        info.insert((*name).into(), rows.into());
    }
    info.into()
}

/// The file's arrays. One whose table the site lacks is there, too, and empty.
pub fn arrays(dataset: Dataset) -> impl Iterator<Item = &'static Part> {
    PARTS.iter().chain([&RECORDS]).filter(move |part| part.dataset == dataset)
}
