//! Unique values that changed hands: an index is checked row by row, so even a swap is a trap.

use super::{plan, site};
use crate::support::cycle::changed;

/// Swaps the blocks of `north-a` and `south-a`; the triggers would refuse that.
const SWAP: &str = "ALTER TABLE prefix DISABLE TRIGGER USER;
    UPDATE prefix SET cidr = '10.99.0.0/24' WHERE prefix_id = 'north-a';
    UPDATE prefix SET cidr = '10.1.1.0/24' WHERE prefix_id = 'south-a';
    UPDATE prefix SET cidr = '10.2.1.0/24' WHERE prefix_id = 'north-a';
    ALTER TABLE prefix ENABLE TRIGGER USER;";

#[tokio::test]
async fn blocks_swapped_between_two_prefixes_are_swapped_back() {
    let restored = plan().await.survives(SWAP).await;
    assert_eq!(changed(&restored, "prefixes"), (0, 2, 0));
}

#[tokio::test]
async fn blocks_swapped_between_two_prefixes_with_children_are_swapped_back() {
    let cycle = plan().await;
    let swap = "ALTER TABLE prefix DISABLE TRIGGER USER;
        UPDATE prefix SET cidr = '10.99.0.0/16' WHERE prefix_id = 'north';
        UPDATE prefix SET cidr = '10.1.0.0/16' WHERE prefix_id = 'south';
        UPDATE prefix SET cidr = '10.2.0.0/16' WHERE prefix_id = 'north';
        ALTER TABLE prefix ENABLE TRIGGER USER";
    let restored = cycle.survives(swap).await;
    assert_eq!(changed(&restored, "prefixes"), (0, 2, 0));
    assert_eq!(changed(&restored, "vpcs"), (0, 0, 0));
}

#[tokio::test]
async fn blocks_rotated_among_three_prefixes_of_two_datasets_are_rotated_back() {
    let cycle = plan().await;
    let rotate = "ALTER TABLE prefix DISABLE TRIGGER USER;
        UPDATE prefix SET cidr = '10.99.0.0/24' WHERE prefix_id = 'north-a';
        UPDATE prefix SET cidr = '10.1.1.0/24' WHERE prefix_id = 'south-a';
        UPDATE prefix SET cidr = '10.2.1.0/24' WHERE prefix_id = 'subnet-north';
        UPDATE prefix SET cidr = '10.1.2.0/24' WHERE prefix_id = 'north-a';
        ALTER TABLE prefix ENABLE TRIGGER USER";
    let restored = cycle.survives(rotate).await;
    assert_eq!(changed(&restored, "prefixes"), (0, 2, 0));
    assert_eq!(changed(&restored, "vpcs"), (0, 1, 0));
}

#[tokio::test]
async fn account_ids_of_vpcs_swapped_while_others_have_none_are_swapped_back() {
    let cycle = plan().await;
    let swap = "UPDATE vpc SET provider_vpc_id = 'tmp' WHERE provider = 'aws';
        UPDATE vpc SET provider = 'aws', provider_account_id = '111', provider_vpc_id = 'vpc-north'
            WHERE provider = 'azure';
        UPDATE vpc SET provider = 'azure', provider_account_id = NULL, provider_vpc_id = 'vpc-south'
            WHERE provider_vpc_id = 'tmp'";
    cycle.survives(swap).await;
}

#[tokio::test]
async fn a_site_with_a_partial_unique_index_survives_a_swap() {
    let cycle = site(
        "CREATE UNIQUE INDEX ON prefix ((tags ->> 'name'), vrf_id) WHERE source = 'manual';
         CREATE UNIQUE INDEX ON device42_ipaddress (ip_address) WHERE port IS NULL;
         UPDATE prefix SET tags = jsonb_build_object('name', prefix_id)",
    )
    .await;
    let swap = "
        UPDATE prefix SET tags = '{\"name\": \"between\"}' WHERE prefix_id = 'north';
        UPDATE prefix SET tags = '{\"name\": \"north\"}' WHERE prefix_id = 'south';
        UPDATE prefix SET tags = '{\"name\": \"south\"}' WHERE prefix_id = 'north';
        UPDATE device42_ipaddress SET ip_address = '::' WHERE label = 'web';
        UPDATE device42_ipaddress SET ip_address = '203.0.113.1' WHERE label = 'mail';
        UPDATE device42_ipaddress SET ip_address = '203.0.113.2' WHERE label = 'web'";
    let restored = cycle.survives(swap).await;
    assert_eq!(changed(&restored, "public_ips"), (0, 2, 0));
}

#[tokio::test]
async fn a_site_with_a_unique_index_over_an_expression_survives_a_swap() {
    let cycle = site("CREATE UNIQUE INDEX ON vrf (lower(description))").await;
    let swap = "UPDATE vrf SET description = 'between' WHERE vrf_id = 'corp';
        UPDATE vrf SET description = 'CORPORATE' WHERE vrf_id = 'lab';
        UPDATE vrf SET description = 'LABORATORY' WHERE vrf_id = 'corp'";
    cycle.survives(swap).await;
}

#[tokio::test]
async fn a_site_with_an_exclusion_constraint_survives_a_swap() {
    let cycle = site(
        "ALTER TABLE vpc_prefix_association ADD CONSTRAINT apart
             EXCLUDE USING gist (vpc_prefix_cidr inet_ops WITH &&)",
    )
    .await;
    let swap = "UPDATE vpc_prefix_association SET vpc_prefix_cidr = '10.99.0.0/24'
            WHERE parent_prefix_id = 'north';
        UPDATE vpc_prefix_association SET vpc_prefix_cidr = '10.1.2.0/25'
            WHERE parent_prefix_id = 'south';
        UPDATE vpc_prefix_association SET vpc_prefix_cidr = '10.2.0.0/16'
            WHERE parent_prefix_id = 'north'";
    cycle.survives(swap).await;
}

#[tokio::test]
async fn a_site_where_nulls_are_not_distinct_survives_a_swap() {
    let cycle = site("").await;
    let version = "SELECT current_setting('server_version_num')::int >= 150000";
    if cycle.database.value(version).await == "false" {
        return;
    }
    cycle.sql("CREATE UNIQUE INDEX ON vpc (region) NULLS NOT DISTINCT").await;
    let swap = "UPDATE vpc SET region = 'between' WHERE provider = 'aws';
        UPDATE vpc SET region = 'eu-north-1' WHERE provider = 'azure';
        UPDATE vpc SET region = NULL WHERE provider = 'aws'";
    cycle.survives(swap).await;
}

#[tokio::test]
async fn a_site_with_a_deferrable_unique_constraint_survives_a_swap() {
    let cycle = site(
        "ALTER TABLE prefix DROP CONSTRAINT prefix_vrf_id_cidr_key;
         ALTER TABLE prefix ADD UNIQUE (vrf_id, cidr) DEFERRABLE INITIALLY DEFERRED",
    )
    .await;
    cycle.survives(SWAP).await;
    cycle.triggers_refuse_what_they_must().await;
}

#[tokio::test]
async fn a_site_with_a_unique_generated_column_survives_a_swap() {
    let cycle = site(
        "ALTER TABLE prefix ADD place text
             GENERATED ALWAYS AS (vrf_id || ' ' || host(cidr) || '/' || masklen(cidr)) STORED;
         CREATE UNIQUE INDEX ON prefix (place)",
    )
    .await;
    cycle.survives(SWAP).await;
}

#[tokio::test]
async fn a_site_with_deferrable_foreign_keys_survives_everything_at_once() {
    let cycle = site(
        "ALTER TABLE prefix ALTER CONSTRAINT prefix_vrf_id_fkey DEFERRABLE INITIALLY DEFERRED;
         ALTER TABLE prefix ALTER CONSTRAINT prefix_parent_prefix_id_fkey
             DEFERRABLE INITIALLY DEFERRED;
         ALTER TABLE vpc_prefix_association
             ALTER CONSTRAINT vpc_prefix_association_parent_prefix_id_fkey
             DEFERRABLE INITIALLY DEFERRED",
    )
    .await;
    let disturbance = format!(
        "SET CONSTRAINTS ALL IMMEDIATE; {SWAP} DELETE FROM vpc_prefix_association;
        DELETE FROM prefix WHERE prefix_id LIKE 'south%' OR prefix_id = 'subnet-south';
        INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
            VALUES ('south-again', 'corp', '10.2.0.0/16', 'manual', true)"
    );
    cycle.survives(&disturbance).await;
    cycle.triggers_refuse_what_they_must().await;
}
