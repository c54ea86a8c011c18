//! What a restore must bring back exactly, and what it must refuse, on a real PostgreSQL as the
//! tables' owner, who is no superuser.

mod bulk_load;
mod domains;
mod drift;
mod equal_keys;
mod keys;
mod load;
mod locks;
mod partial;
mod preview;
mod records;
mod refusals;
mod refused_rows;
mod rows;
mod sequences;
mod sessions;
mod settings;
mod shapes;
mod sites;
mod temporary_index;
mod triggers;
mod unique;
mod values;
mod waits;

use crate::support::cycle::Cycle;
use crate::support::database;

/// A plan small enough to know by heart: one tree with a branch in the north and one in the south,
/// each with a VPC.
pub const PLAN: &str = "
INSERT INTO vrf (vrf_id, description, tags) VALUES
    ('corp', 'Corporate', '{\"env\": \"prod\"}'), ('lab', 'Laboratory', '{}');
INSERT INTO vpc (vpc_id, provider, provider_account_id, provider_vpc_id, region) VALUES
    ('00000000-0000-0000-0000-000000000001', 'aws', '111', 'vpc-north', 'eu-north-1'),
    ('00000000-0000-0000-0000-000000000002', 'azure', NULL, 'vpc-south', NULL);
INSERT INTO prefix (prefix_id, vrf_id, cidr, parent_prefix_id, source, routable, vpc_id) VALUES
    ('root', 'corp', '10.0.0.0/8', NULL, 'manual', true, NULL),
    ('north', 'corp', '10.1.0.0/16', 'root', 'manual', true, NULL),
    ('north-a', 'corp', '10.1.1.0/24', 'north', 'manual', true, NULL),
    ('south', 'corp', '10.2.0.0/16', 'root', 'manual', true, NULL),
    ('south-a', 'corp', '10.2.1.0/24', 'south', 'manual', true, NULL),
    ('six', 'corp', 'fd00::/32', NULL, 'manual', false, NULL),
    ('lab', 'lab', '10.0.0.0/8', NULL, 'manual', false, NULL),
    ('lab-a', 'lab', '10.9.0.0/16', 'lab', 'manual', false, NULL),
    ('subnet-north', 'corp', '10.1.2.0/24', 'north', 'vpc', true,
     '00000000-0000-0000-0000-000000000001'),
    ('subnet-south', 'corp', '10.2.2.0/24', 'south', 'vpc', true,
     '00000000-0000-0000-0000-000000000002'),
    ('public-1', 'public-vrf', '203.0.113.1/32', NULL, 'manual', true, NULL),
    ('public-2', 'public-vrf', '203.0.113.2/32', NULL, 'vpc', true,
     '00000000-0000-0000-0000-000000000001');
INSERT INTO vpc_prefix_association VALUES
    ('00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-000000000001',
     '10.1.2.0/24', true, 'north'),
    ('00000000-0000-0000-0000-00000000000b', '00000000-0000-0000-0000-000000000002',
     '10.2.2.0/24', true, 'south');
INSERT INTO device42_ipaddress (ip_address, label) VALUES
    ('203.0.113.1', 'web'), ('203.0.113.2', 'mail'), ('2001:db8::1', 'six');
";

/// [`PLAN`], ready to be backed up.
pub async fn plan() -> Cycle {
    site("").await
}

/// [`PLAN`] at a site that has changed the tables in its own way before.
pub async fn site(changes: &str) -> Cycle {
    let cycle = Cycle::new(database().await).await;
    cycle.sql(PLAN).await;
    if !changes.is_empty() {
        cycle.sql(changes).await;
    }
    cycle
}
